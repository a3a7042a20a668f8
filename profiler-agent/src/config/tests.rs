mod collector;

use clap::Parser as _;

use super::*;

const FILE: &str = "/etc/profiler/agent.toml";

fn options(flags: &[&str]) -> Options {
    let words = std::iter::once("profiler-agent").chain(flags.iter().copied());
    Args::try_parse_from(words).unwrap().options
}

fn load(text: &str, flags: &[&str]) -> Result<Config, ConfigError> {
    let document = Document::parse(Path::new(FILE), text.to_owned())?;
    Config::resolve(&options(flags), Some(document))
}

fn refusal(text: &str, flags: &[&str]) -> String {
    load(text, flags).unwrap_err().to_string()
}

#[test]
fn the_documented_defaults_are_the_defaults() {
    let mut parsed = load(DEFAULT_TOML, &[]).unwrap();
    assert_eq!(parsed.file.take(), Some(PathBuf::from(FILE)));
    assert_eq!(parsed, Config::default());
    assert_eq!(
        Config::resolve(&Options::default(), None).unwrap(),
        Config::default()
    );
}

#[test]
fn the_documented_file_names_every_key() {
    // An unknown key lists those that there are.
    let known = refusal("x = 1", &[]);
    let keys: Vec<&str> = known.split('`').skip(3).step_by(2).collect();
    assert_eq!(keys.len(), 34, "{known}");
    for key in keys {
        let written = DEFAULT_TOML.contains(&format!("\n{key} = "))
            || DEFAULT_TOML.contains(&format!("\n[{key}."));
        assert!(written, "{key}");
    }
}

#[test]
fn flags_go_over_the_file_and_the_file_over_defaults() {
    let text = "capture_interval = \"128KiB\"\ncapture_budget = 7\nevent_ring = 65536\n\
                [filter.include]\nprocesses = [\"node\"]\npids = [1]\n";
    let config = load(
        text,
        &[
            "--capture-interval",
            "1MiB",
            "--include-process",
            "a,{b,c}*",
            "--plan",
            "fexit",
        ],
    )
    .unwrap();
    assert_eq!(config.capture_interval, MIB);
    assert_eq!(config.capture_budget, 7);
    assert_eq!(config.event_ring, 65_536);
    assert_eq!(config.capture_ring, Config::default().capture_ring);
    assert_eq!(config.plan, Plan::Fexit);
    assert_eq!(config.filter.include.processes, ["a", "{b,c}*"]);
    assert_eq!(config.filter.include.pids, [1]);
}

#[test]
fn every_option_has_its_variable() {
    use clap::CommandFactory as _;
    let command = Args::command();
    for argument in command.get_arguments() {
        let Some(long) = argument.get_long() else {
            continue;
        };
        if matches!(long, "help" | "version") {
            continue;
        }
        let variable = format!("PROFILER_{}", long.replace('-', "_").to_uppercase());
        assert_eq!(
            argument.get_env().unwrap().to_str(),
            Some(variable.as_str())
        );
    }
    command.debug_assert();
}

#[test]
fn unknown_keys_and_bad_forms_are_named_with_their_line() {
    let unknown = refusal("\n\nlisten_on = \"127.0.0.1:1\"\n", &[]);
    assert!(
        unknown.starts_with(
            "/etc/profiler/agent.toml:3: listen_on: unknown field `listen_on`, expected one of `listen`, "
        ),
        "{unknown}"
    );
    assert_eq!(
        refusal("[filter.include]\ncontainer = []\n", &[]),
        "/etc/profiler/agent.toml:2: container: unknown field `container`, expected one of \
         `containers`, `cgroups`, `processes`, `pids`"
    );
    assert_eq!(
        refusal("log = \"info\"\nplan = \"kprobe\"\n", &[]),
        "/etc/profiler/agent.toml:2: plan: unknown variant `kprobe`, expected one of `auto`, `fexit`, `tracepoint`"
    );
    assert_eq!(
        refusal("capture_interval = \"64 parsecs\"\n", &[]),
        "/etc/profiler/agent.toml:1: capture_interval: \"64 parsecs\" is no size: write a number of \
         bytes or one with KiB, MiB or GiB, such as \"64KiB\""
    );
    assert_eq!(
        refusal("snapshot_interval = 10\n", &[]),
        "/etc/profiler/agent.toml:1: snapshot_interval: \"10\" is no duration: write a number with \
         ms, s, min, h or d, such as \"10s\""
    );
    assert_eq!(
        refusal("capture_ring = true\n", &[]),
        "/etc/profiler/agent.toml:1: capture_ring: invalid type: boolean `true`, expected a size \
         such as \"64KiB\""
    );
    assert_eq!(
        refusal("a = 1\nlisten = \"localhost\"\n", &[])
            .lines()
            .count(),
        1
    );
    assert_eq!(
        refusal("listen = \"localhost\"\n", &[]),
        "/etc/profiler/agent.toml:1: listen: invalid socket address syntax"
    );
    let broken = refusal("log = \"info\"\nplan = \n", &[]);
    assert!(
        broken.starts_with("/etc/profiler/agent.toml:2: plan: "),
        "{broken}"
    );
    let twice = refusal("log = \"info\"\nlog = \"warn\"\n", &[]);
    assert_eq!(twice, "/etc/profiler/agent.toml:2: log: duplicate key");
}

#[test]
fn values_out_of_range_say_what_is_allowed() {
    let at = |key: &str, value: &str| refusal(&format!("\n{key} = {value}\n"), &[]);
    assert_eq!(
        at("capture_interval", "\"1KiB\""),
        "/etc/profiler/agent.toml:2: capture_interval: 1KiB is out of range: 4KiB to 1GiB are allowed"
    );
    assert_eq!(
        at("capture_budget", "0"),
        "/etc/profiler/agent.toml:2: capture_budget: 0 is out of range: 1 to 1000000 captures a second are allowed"
    );
    assert_eq!(
        at("event_ring", "\"3MiB\""),
        "/etc/profiler/agent.toml:2: event_ring: 3MiB is no power of two: 2MiB or 4MiB would be"
    );
    assert_eq!(
        at("event_ring", "\"2GiB\""),
        "/etc/profiler/agent.toml:2: event_ring: 2GiB is out of range: 64KiB to 1GiB are allowed"
    );
    assert_eq!(
        at("snapshot_interval", "\"100ms\""),
        "/etc/profiler/agent.toml:2: snapshot_interval: 100ms is out of range: 1s to 10min are allowed"
    );
    assert_eq!(
        at("history_budget", "1000"),
        "/etc/profiler/agent.toml:2: history_budget: 1000 is out of range: 1MiB to 16GiB are allowed"
    );
    assert_eq!(
        at("socket", "\"run/x.sock\""),
        "/etc/profiler/agent.toml:2: socket: \"run/x.sock\" cannot be a socket: an absolute path of \
         less than 108 bytes is needed, or \"\" for none"
    );
    assert_eq!(
        refusal("", &["--capture-interval", "2GiB"]),
        "--capture-interval or PROFILER_CAPTURE_INTERVAL: capture_interval: 2GiB is out of range: \
         4KiB to 1GiB are allowed"
    );
}

#[test]
fn bad_filters_name_their_list() {
    assert_eq!(
        refusal("[filter.exclude]\npids = [1]\ncgroups = [\"a\"]\n", &[]),
        "/etc/profiler/agent.toml:3: filter.exclude.cgroups: \"a\" is no cgroup path: it has to begin with / or *"
    );
    assert_eq!(
        refusal("", &["--include-container", "ab"]),
        "--include-container or PROFILER_INCLUDE_CONTAINER: include_container: \"ab\" is no \
         container: at least 4 characters of its id are needed, or \"host\""
    );
    let pids = refusal("[filter.include]\npids = [-1]\n", &[]);
    assert!(
        pids.starts_with(
            "/etc/profiler/agent.toml:2: pids: invalid value: integer `-1`, expected u32"
        ),
        "{pids}"
    );
}

#[test]
fn other_addresses_than_loopback_need_tls_or_the_flag() {
    for address in [
        "127.0.0.1:0",
        "127.9.9.9:1",
        "[::1]:7741",
        "[::ffff:127.0.0.1]:1",
    ] {
        assert!(load("", &["--listen", address]).is_ok(), "{address}");
    }
    let refused = "listen: 0.0.0.0:7741 is not a loopback address, and without TLS ";
    let file = refusal("listen = \"0.0.0.0:7741\"", &[]);
    assert!(
        file.starts_with(&format!("/etc/profiler/agent.toml:1: {refused}")),
        "{file}"
    );
    let flag = refusal("", &["--listen", "0.0.0.0:7741"]);
    assert!(
        flag.starts_with(&format!("--listen or PROFILER_LISTEN: {refused}")),
        "{flag}"
    );
    assert!(load("listen = \"0.0.0.0:7741\"\ninsecure_listen = true", &[]).is_ok());
    assert!(load("", &["--listen", "[::]:7741", "--insecure-listen"]).is_ok());
}

#[test]
fn with_tls_and_tokens_any_address_will_do() {
    let directory = std::env::temp_dir().join(format!("profiler-config-{}", std::process::id()));
    std::fs::create_dir(&directory).unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(directory.join("crt"), made.cert.pem()).unwrap();
    std::fs::write(directory.join("key"), made.signing_key.serialize_pem()).unwrap();
    let text = format!(
        "listen = \"0.0.0.0:7741\"\ntls_cert = \"{0}/crt\"\ntls_key = \"{0}/key\"\n",
        directory.display()
    );
    let tokens = directory.join("tokens");
    std::fs::write(&tokens, "0123456789abcdef").unwrap();
    let token_file = ["--token-file", tokens.to_str().unwrap()];
    let config = load(&text, &token_file);
    let strangers = load(&text, &[]);
    let without = load(&text, &["--tls-cert", "", "--tls-key", ""]);
    let swapped = ["--tls-key", &format!("{}/crt", directory.display())];
    let swapped = load(&text, &[token_file, swapped].concat());
    std::fs::remove_dir_all(&directory).unwrap();
    let tls = config.unwrap().access.tls.unwrap();
    assert_eq!(tls.key, directory.join("key"));
    let without = without.unwrap_err().to_string();
    assert!(without.contains("without TLS"), "{without}");
    let strangers = strangers.unwrap_err().to_string();
    assert!(
        strangers.contains("whoever reaches it could ask"),
        "{strangers}"
    );
    let swapped = swapped.unwrap_err().to_string();
    assert!(swapped.contains("holds no private key"), "{swapped}");
}

#[test]
fn certificates_and_tokens_are_checked_with_the_settings() {
    for (text, part) in [
        (
            "\ntls_cert = \"/a\"",
            "agent.toml:2: tls_cert: tls_key is needed with it",
        ),
        (
            "tls_key = \"/a\"",
            "agent.toml:1: tls_key: tls_cert is needed with it",
        ),
        (
            "tls_client_ca = \"/a\"",
            "tls_client_ca: tls_cert and tls_key are needed",
        ),
        (
            "tls_key = \"/a\"\ntls_cert = \"/nonexistent\"",
            "agent.toml:2: tls_cert: /nonexistent: cannot be read",
        ),
        (
            "token_file = \"/nonexistent\"",
            "token_file: /nonexistent: cannot be read",
        ),
        (
            "token_file = \"/dev/null\"",
            "token_file: /dev/null: holds no token",
        ),
    ] {
        let error = refusal(text, &[]);
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn an_empty_address_is_none_if_there_is_a_socket() {
    assert_eq!(load("listen = \"\"", &[]).unwrap().listen, None);
    assert_eq!(load("", &["--listen", ""]).unwrap().listen, None);
    assert_eq!(
        refusal("listen = \"\"\nsocket = \"\"", &[]),
        "/etc/profiler/agent.toml:1: listen: with no socket either, nobody could ask this agent: \
         give an address or a socket"
    );
}

#[test]
fn an_empty_socket_is_none() {
    assert_eq!(load("socket = \"\"", &[]).unwrap().socket, None);
    assert_eq!(load("", &["--socket", ""]).unwrap().socket, None);
}

#[test]
fn only_a_file_that_was_asked_for_has_to_be_there() {
    let absent = Path::new("/nonexistent/agent.toml");
    assert!(Document::read(absent, false).unwrap().is_none());
    assert_eq!(
        Config::load(&options(&["--config", "/nonexistent/agent.toml"]))
            .unwrap_err()
            .to_string(),
        "cannot read the configuration file /nonexistent/agent.toml: No such file or directory (os error 2)"
    );
    let endless = Document::read(Path::new("/dev/zero"), false).unwrap_err();
    assert_eq!(
        endless.to_string(),
        "cannot read the configuration file /dev/zero: it is longer than 1048576 bytes"
    );
    assert!(Document::read(Path::new("/"), false).is_err());
}

#[test]
fn the_command_line() {
    let args = Args::try_parse_from(["profiler-agent", "config", "--default"]).unwrap();
    assert!(matches!(
        args.command,
        Some(Command::Config { default: true, .. })
    ));
    let args = Args::try_parse_from(["profiler-agent"]).unwrap();
    assert!(args.command.is_none());
    let error = |flags: &[&str]| {
        let words = std::iter::once("profiler-agent").chain(flags.iter().copied());
        Args::try_parse_from(words).unwrap_err().to_string()
    };
    assert!(error(&["--event-ring", "big"]).contains(
        "invalid value 'big' for '--event-ring <SIZE>': \"big\" is no size: write a number"
    ));
    assert!(error(&["--plan", "x"]).contains("[possible values: auto, fexit, tracepoint]"));
    assert!(error(&["--lisen", "x"]).contains("unexpected argument '--lisen'"));
}
