"""A receiver of OTLP Profiles, made from the published proto.

Prints its port. Each request is parsed, written again and compared byte by byte; then it is checked
against what the comments of the proto demand. What is not as it has to be is refused with the
reason; of the rest one line of JSON is appended to the file that the first argument names. Ends
when standard input does.
"""

import json
import sys
from concurrent import futures

import grpc
from opentelemetry.proto.collector.profiles.v1development import profiles_service_pb2 as service
from opentelemetry.proto.profiles.v1development import profiles_pb2 as profiles

SERVICE = "opentelemetry.proto.collector.profiles.v1development.ProfilesService"
LARGEST = 4 << 20


def main():
    took = open(sys.argv[1], "a", encoding="utf-8")

    def export(received, context):
        try:
            line = json.dumps(look(received))
        except Exception as error:  # Whatever it is, the request is not as it has to be.
            print(f"receiver.py: {error!r}", file=sys.stderr, flush=True)
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, repr(error))
        print(line, file=took, flush=True)
        return service.ExportProfilesServiceResponse().SerializeToString()

    # Without (de)serializers: the bytes as they are on the wire.
    handlers = {"Export": grpc.unary_unary_rpc_method_handler(export)}
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=1))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    server.start()
    sys.stdin.read()
    server.stop(None)


def look(received):
    demand(len(received) <= LARGEST, "too large")
    request = service.ExportProfilesServiceRequest.FromString(received)
    request.DiscardUnknownFields()
    again = request.SerializeToString(deterministic=True)
    if again != received:
        at = next((i for i, (a, b) in enumerate(zip(again, received)) if a != b), len(again))
        demand(False, f"bytes differ at {at} of {len(received)}; written again {len(again)}")
    tables = Tables(request.dictionary)
    tables.check()
    found = [tables.resource(one) for one in request.resource_profiles]
    tables.check_all_used()
    ids = [one.profile_id for one in every_profile(request)]
    unique(ids, "profile ids")
    return sorted(found, key=lambda one: one["resource"]["host.name"])


def every_profile(request):
    for resource in request.resource_profiles:
        for scope in resource.scope_profiles:
            yield from scope.profiles


class Tables:
    """The dictionary, with what was referred to."""

    ZERO = {
        "mapping_table": profiles.Mapping(),
        "location_table": profiles.Location(),
        "function_table": profiles.Function(),
        "link_table": profiles.Link(),
        "string_table": "",
        "attribute_table": profiles.KeyValueAndUnit(),
        "stack_table": profiles.Stack(),
    }

    def __init__(self, dictionary):
        self.dictionary = dictionary
        self.used = {name: {0} for name in self.ZERO}

    def at(self, name, index):
        table = getattr(self.dictionary, name)
        demand(0 <= index < len(table), f"{name} has no {index}")
        self.used[name].add(index)
        return table[index]

    def string(self, index):
        return self.at("string_table", index)

    def check(self):
        for name, zero in self.ZERO.items():
            table = getattr(self.dictionary, name)
            demand(len(table) > 0 and table[0] == zero, f"{name} begins with no zero value")
            entries = [e if isinstance(e, str) else e.SerializeToString() for e in table]
            unique(entries, name)

    def check_all_used(self):
        for name, used in self.used.items():
            length = len(getattr(self.dictionary, name))
            demand(len(used) == length, f"{length - len(used)} entries of {name} are orphans")

    def attributes(self, indices):
        """By key; keys are unique where they are referred to."""
        found = {}
        for index in indices:
            demand(index != 0, "a reference to the attribute that is none")
            one = self.at("attribute_table", index)
            key = self.string(one.key_strindex)
            demand(key and key not in found, f"the attribute {key!r} is there twice, or empty")
            demand(one.value.WhichOneof("value") is not None, f"{key} has no value")
            self.string(one.unit_strindex)
            found[key] = one.value.string_value
        return found

    def resource(self, one):
        attributes = {}
        for pair in one.resource.attributes:
            demand(pair.key and pair.key_strindex == 0, "a key of a resource is a string")
            demand(pair.key not in attributes, f"{pair.key} is there twice")
            kind = pair.value.WhichOneof("value")
            attributes[pair.key] = getattr(pair.value, kind)
        demand(len(one.scope_profiles) == 1, "one scope")
        scope = one.scope_profiles[0]
        demand(scope.scope.name and scope.scope.version, "the scope has name and version")
        self.build_ids = set()
        found = [self.profile(profile) for profile in scope.profiles]
        return {"resource": attributes, "profiles": found, "build_ids": sorted(self.build_ids)}

    def profile(self, one):
        demand(len(one.profile_id) == 16 and any(one.profile_id), "no valid profile_id")
        demand(one.time_unix_nano > 0, "no time")
        demand(not one.original_payload_format and not one.original_payload, "a payload")
        demand(self.attributes(one.attribute_indices) == {"profiler.evidence_tier": "C"}, "no tier")
        kind = [self.string(one.sample_type.type_strindex), self.string(one.sample_type.unit_strindex)]
        identities = [
            (s.stack_index, tuple(sorted(s.attribute_indices)), s.link_index) for s in one.samples
        ]
        unique(identities, "samples")
        demand(identities, "no samples")
        samples = sorted(self.sample(sample) for sample in one.samples)
        return {
            "type": kind,
            "time": one.time_unix_nano,
            "duration": one.duration_nano,
            "samples": samples,
        }

    def sample(self, one):
        demand(len(one.values) == 1 and not one.timestamps_unix_nano, "not one value")
        self.at("link_table", one.link_index)
        self.attributes(one.attribute_indices)
        stack = self.at("stack_table", one.stack_index)
        return [[n for index in stack.location_indices for n in self.location(index)], one.values[0]]

    def location(self, index):
        one = self.at("location_table", index)
        mapping = self.at("mapping_table", one.mapping_index)
        self.string(mapping.filename_strindex)
        told = self.attributes(mapping.attribute_indices)
        if one.mapping_index:
            self.build_ids.add(told["process.executable.build_id.gnu"])
            inside = mapping.memory_start <= one.address <= mapping.memory_limit
            demand(inside, f"{one.address:#x} is outside of its mapping")
        self.attributes(one.attribute_indices)
        return [self.line(line) for line in one.lines]

    def line(self, one):
        function = self.at("function_table", one.function_index)
        self.string(function.system_name_strindex)
        self.string(function.filename_strindex)
        return self.string(function.name_strindex)


def unique(entries, what):
    demand(len(set(entries)) == len(entries), f"{what} are there twice")


def demand(condition, otherwise):
    if not condition:
        raise ValueError(otherwise)


main()
