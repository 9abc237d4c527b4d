#!/usr/bin/env python3
"""Writes tests/kube/schemas/: what the manifests are validated against, out of what Kubernetes and the Prometheus Operator publish.

usage: schemas.py

Needed again only when the manifests use another kind, or another version is to count. It needs go, which fetches the modules
and compares their digests with those that everybody sees, and PyYAML (Debian: python3-yaml). Descriptions are left out, and
so is what no manifest uses.
"""

import json
import os
import pathlib
import subprocess
import tempfile
import zipfile

import yaml

PLACE = pathlib.Path(__file__).parent.parent / "tests/kube/schemas"

# The oldest that docs/install.md names, and the newest there is. What is between them is the API server of the tests.
KUBERNETES = ["v1.27.16", "v1.37.2"]
# The oldest that docs/install.md names, and the newest there is.
OPERATOR = ["v0.66.0", "v0.85.0"]

KINDS = {
    ("", "v1", "ConfigMap"),
    ("", "v1", "Service"),
    ("", "v1", "ServiceAccount"),
    ("apps", "v1", "DaemonSet"),
    ("networking.k8s.io", "v1", "NetworkPolicy"),
    ("rbac.authorization.k8s.io", "v1", "Role"),
    ("rbac.authorization.k8s.io", "v1", "RoleBinding"),
    ("scheduling.k8s.io", "v1", "PriorityClass"),
}
CUSTOM = ["servicemonitors", "prometheusrules", "alertmanagerconfigs"]


class Loader(yaml.SafeLoader):
    """YAML as Kubernetes reads it: a lone `=` is a string."""


Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:value"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def module(path: str, version: str) -> tuple[zipfile.ZipFile, dict[str, str]]:
    """A module's archive, and where it is from."""
    with tempfile.TemporaryDirectory() as nowhere:
        done = subprocess.run(
            ["go", "mod", "download", "-json", f"{path}@{version}"],
            cwd=nowhere,
            env=os.environ | {"GOFLAGS": "-mod=mod", "GOWORK": "off"},
            check=True,
            stdout=subprocess.PIPE,
        )
    found = json.loads(done.stdout)
    return zipfile.ZipFile(found["Zip"]), {"module": f"{path}@{version}", "sum": found["Sum"]}


def stripped(schema: object) -> object:
    """Without what is for people."""
    if isinstance(schema, list):
        return [stripped(part) for part in schema]
    if isinstance(schema, dict):
        # A property may be named so, too, and is then an object.
        return {
            key: stripped(value)
            for key, value in schema.items()
            if not (key in ("description", "example") and isinstance(value, str))
        }
    return schema


def references(schema: object) -> list[str]:
    if isinstance(schema, list):
        return [name for part in schema for name in references(part)]
    if isinstance(schema, dict):
        own = schema.get("$ref")
        rest = [name for value in schema.values() for name in references(value)]
        return [own.rsplit("/", 1)[1], *rest] if isinstance(own, str) else rest
    return []


def write(name: str, head: dict[str, str], parts: dict[str, object]) -> None:
    """One line for each part, so that a change can be read."""
    lines = [f'"source": {json.dumps(head)}']
    for key, value in parts.items():
        lines.append(f"{json.dumps(key)}: {json.dumps(value, sort_keys=True, separators=(',', ':'))}")
    (PLACE / name).write_text("{" + ",\n".join(lines) + "}\n", encoding="utf-8")


def kubernetes(version: str) -> None:
    archive, source = module("k8s.io/kubernetes", version)
    text = archive.read(f"k8s.io/kubernetes@{version}/api/openapi-spec/swagger.json")
    known = json.loads(text)["definitions"]

    def is_used(definition: dict) -> bool:
        kinds = definition.get("x-kubernetes-group-version-kind", [])
        return any((kind["group"], kind["version"], kind["kind"]) in KINDS for kind in kinds)

    wanted = [name for name, definition in known.items() if is_used(definition)]
    definitions: dict[str, object] = {}
    while wanted:
        name = wanted.pop()
        if name not in definitions:
            definitions[name] = stripped(known[name])
            wanted.extend(references(known[name]))
    write(f"kubernetes-{minor(version)}.json", source, dict(sorted(definitions.items())))


def operator(version: str) -> None:
    path = "github.com/prometheus-operator/prometheus-operator"
    archive, source = module(path, version)
    definitions: dict[str, object] = {}
    for name in CUSTOM:
        file = f"{path}@{version}/example/prometheus-operator-crd/monitoring.coreos.com_{name}.yaml"
        definition = yaml.load(archive.read(file), Loader)  # noqa: S506: it is a SafeLoader
        for one in definition["spec"]["versions"]:
            # Most of an AlertmanagerConfig, and for those who write one themselves.
            one["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"].pop("receivers", None)
        definitions[name] = stripped(definition)
    write(f"prometheus-operator-{minor(version)}.json", source, definitions)


def minor(version: str) -> str:
    return ".".join(version.removeprefix("v").split(".")[:2])


def main() -> None:
    PLACE.mkdir(exist_ok=True)
    for version in KUBERNETES:
        kubernetes(version)
    for version in OPERATOR:
        operator(version)


if __name__ == "__main__":
    main()
