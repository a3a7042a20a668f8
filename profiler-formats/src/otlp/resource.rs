//! A process as a resource, by OpenTelemetry's semantic conventions.

use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, KeyValue, any_value::Value},
    resource::v1::Resource,
};
use profiler_proto::v1::Target;

use crate::text::{base_name, clean};

/// What is known of a process; what is not known is left out.
pub(super) fn resource(target: &Target) -> Resource {
    let executable = match base_name(&target.executable) {
        "" => &target.process_name,
        name => name,
    };
    let in_pod = !target.pod_uid.is_empty();
    let node_of_pod = if in_pod { target.node.as_str() } else { "" };
    let texts = [
        ("service.name", service(target, executable)),
        ("container.id", &target.container_id),
        ("k8s.pod.uid", &target.pod_uid),
        ("k8s.namespace.name", &target.namespace),
        ("k8s.pod.name", &target.pod),
        ("k8s.node.name", node_of_pod),
        ("host.name", &target.node),
        ("process.executable.name", executable),
        ("process.executable.path", &target.executable),
    ];
    let known = texts.into_iter().filter(|(_, text)| !text.is_empty());
    let texts = known.map(|(key, text)| attribute(key, Value::StringValue(clean(text).into())));
    let pid = (target.pid != 0).then(|| Value::IntValue(target.pid.into()));
    let pid = pid.map(|pid| attribute("process.pid", pid));
    Resource {
        attributes: texts.chain(pid).collect(),
        ..Resource::default()
    }
}

/// What people call it: the workload of its pod, its container's own label, its unit, the program.
/// Pyroscope makes its label `service_name` of this attribute; an attribute of that name would be
/// the label twice.
fn service<'a>(target: &'a Target, executable: &'a str) -> &'a str {
    let label = |key: &str| target.labels.get(key).map_or("", String::as_str);
    let names = [
        label("app.kubernetes.io/name"),
        &target.workload,
        label("com.docker.compose.service"),
        target.unit.trim_end_matches(".service"),
        executable,
    ];
    let known = names.into_iter().find(|name| !name.is_empty());
    known.unwrap_or(&target.process_name)
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}
