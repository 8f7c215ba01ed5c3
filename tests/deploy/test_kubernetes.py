"""docs/deploy/kubernetes, held to Kubernetes' own schema and to itself. Nothing was applied: no cluster is here."""

import re
import shutil
import subprocess
from typing import Any

import pytest
import yaml

from tests.deploy.files import (
    DEPLOY,
    assert_runs_something_of_ours,
    documents,
    is_secret,
    schema,
    settings_variables,
)

FOLDER = DEPLOY / "kubernetes"
FILES = sorted(path.name for path in FOLDER.glob("*.yaml") if path.name != "kustomization.yaml")
ALL = [(name, found) for name in FILES for found in documents(f"docs/deploy/kubernetes/{name}")]
GATEWAY_API = {"Gateway", "HTTPRoute"}  # not Kubernetes' own: they come with the cluster's gateway
KUBECTL = shutil.which("kubectl")
SERVING = {"kirana-command", "kirana-query"}


def of(kind: str) -> dict[str, dict[str, Any]]:
    return {found["metadata"]["name"]: found for _, found in ALL if found["kind"] == kind}


DEPLOYMENTS = of("Deployment")
each_deployment = pytest.mark.parametrize("name", sorted(DEPLOYMENTS))


def pods() -> dict[str, dict[str, Any]]:
    [job] = [found for _, found in ALL if found["kind"] == "Job"]
    return {name: found["spec"]["template"]["spec"] for name, found in (DEPLOYMENTS | {"setup": job}).items()}


def containers(pod: dict[str, Any]) -> list[dict[str, Any]]:
    return [*pod.get("initContainers", []), *pod["containers"]]


@pytest.mark.parametrize(("name", "found"), [each for each in ALL if each[1]["kind"] not in GATEWAY_API])
def test_it_is_of_the_schema(name: str, found: dict[str, Any]) -> None:
    validator = schema("kubernetes-1.35.json", found["kind"])
    assert [error.message for error in validator.iter_errors(found)] == [], name
    assert not validator.is_valid(found | {"specs": {}}), "a member that nobody knows would be told"


def test_kustomize_puts_it_together() -> None:
    if KUBECTL is None:
        pytest.skip("no kubectl on this machine")
    done = subprocess.run([KUBECTL, "kustomize", str(FOLDER)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    made = list(yaml.safe_load_all(done.stdout))
    assert {found["metadata"].get("namespace", "kirana") for found in made} == {"kirana"}
    images = {
        each["image"]
        for found in made
        if found["kind"] == "Deployment"
        for each in containers(found["spec"]["template"]["spec"])
    }
    [image] = images
    assert image in (FOLDER / "setup.yaml").read_text(), "the job runs what is deployed"
    assert re.search(r":\d+\.\d+\.\d+$", image)


def test_the_kustomization_leaves_the_setup_to_a_person() -> None:
    """R12: applying the folder installs no procedure."""
    listed = documents("docs/deploy/kubernetes/kustomization.yaml")[0]["resources"]
    assert set(listed) == set(FILES) - {"setup.yaml"}
    steps = [each["args"] for each in containers(pods()["setup"])]
    assert steps == [["kirana", "migrate"], ["kirana", "procedures", "install"]]


@pytest.mark.parametrize("name", sorted(pods()))
def test_a_pod_may_do_little_and_has_limits(name: str) -> None:
    pod = pods()[name]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    for container in containers(pod):
        assert_runs_something_of_ours(container["args"])
        inside = container["securityContext"]
        assert inside["allowPrivilegeEscalation"] is False
        assert inside["readOnlyRootFilesystem"] is True
        assert inside["capabilities"] == {"drop": ["ALL"]}
        assert set(container["resources"]) == {"requests", "limits"}
        for kind in ("requests", "limits"):
            assert set(container["resources"][kind]) == {"cpu", "memory"}


@each_deployment
def test_a_process_is_watched_and_ends_gently(name: str) -> None:
    spec = DEPLOYMENTS[name]["spec"]
    pod = spec["template"]["spec"]
    [container] = pod["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    checks = {kind: container[f"{kind}Probe"]["httpGet"] for kind in ("startup", "liveness")}
    assert {check["path"] for check in checks.values()} == {"/healthz" if name in SERVING else "/metrics"}
    assert {check["port"] for check in checks.values()} <= set(ports)
    if name in SERVING:
        assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
        assert container["readinessProbe"]["timeoutSeconds"] > 2, "it asks PostgreSQL for two seconds"
        args = container["args"]
        assert ports["http"] == int(args[args.index("--port") + 1])
        graceful = int(args[args.index("--timeout-graceful-shutdown") + 1])
        assert pod["terminationGracePeriodSeconds"] > graceful + 5, "after the pause before the end"
    else:
        assert str(ports["metrics"]) == of("ConfigMap")["kirana-settings"]["data"]["KIRANA_METRICS_PORT"]
        assert spec["replicas"] == 2
    assert of("PodDisruptionBudget")[name]["spec"]["selector"] == spec["selector"]
    assert spec["selector"]["matchLabels"].items() <= spec["template"]["metadata"]["labels"].items()


@pytest.mark.parametrize("name", sorted(SERVING))
def test_what_serves_has_an_address_and_grows(name: str) -> None:
    service = of("Service")[name]["spec"]
    assert service["selector"] == DEPLOYMENTS[name]["spec"]["selector"]["matchLabels"]
    assert service["ports"][0]["targetPort"] == "http"
    scaler = of("HorizontalPodAutoscaler")[name]["spec"]
    assert scaler["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
    assert 2 <= scaler["minReplicas"] < scaler["maxReplicas"]
    assert "replicas" not in DEPLOYMENTS[name]["spec"], "the number is the autoscaler's"


def test_every_variable_is_a_setting_and_secrets_come_by_reference() -> None:
    plain = of("ConfigMap")["kirana-settings"]["data"]
    assert set(plain) <= settings_variables()
    assert [name for name in plain if is_secret(name)] == []
    for pod in pods().values():
        for container in containers(pod):
            for variable in container.get("env", ()):
                assert variable["name"] in settings_variables()
                assert ("valueFrom" in variable) == is_secret(variable["name"]), variable["name"]
    assert "Secret" not in {found["kind"] for _, found in ALL}


def test_the_pages_secrets_are_those_that_are_referred_to() -> None:
    text = "\n".join((FOLDER / name).read_text() for name in FILES)
    page = (DEPLOY.parent / "operations" / "deploy.md").read_text()
    referred = set(re.findall(r"secretRef: \{name: ([\w-]+)", text))
    referred |= set(re.findall(r"secretKeyRef: \{name: ([\w-]+)", text))
    assert referred == set(re.findall(r"create secret generic ([\w-]+)", page))
    for key in re.findall(r"secretKeyRef: \{name: kirana-urls, key: (\w+)", text):
        assert f"--from-literal={key}=" in page


def test_the_method_chooses_the_side() -> None:
    route = of("HTTPRoute")["kirana"]["spec"]
    listeners = {each["name"]: each for each in of("Gateway")["kirana"]["spec"]["listeners"]}
    assert listeners[route["parentRefs"][0]["sectionName"]]["protocol"] == "HTTPS"
    by_side = {rule["backendRefs"][0]["name"]: rule["matches"] for rule in route["rules"]}
    assert set(by_side) == SERVING == set(of("Service"))
    assert {match["method"] for match in by_side["kirana-query"]} == {"GET", "HEAD"}
    assert all("method" not in match for match in by_side["kirana-command"]), "whatever else there is"
    paths = {match["path"]["value"] for matches in by_side.values() for match in matches}
    assert paths == {"/v1", "/docs", "/openapi.json"}, "metrics and probes are for inside"
    for match in by_side["kirana-command"]:
        methods = {each["method"] for each in by_side["kirana-query"] if each["path"] == match["path"]}
        assert methods == {"GET", "HEAD"}, "more particular than the command side's, so they come first"
