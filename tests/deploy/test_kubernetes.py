"""The Kubernetes example, read by a parser. No cluster runs here: it was never applied by a test."""

import re
from typing import Any

import pytest

from app.core.config import Settings
from app.main import create_app
from tests.deploy.files import DEPLOY, Document, documents, known_settings, runs
from tests.support.api import serving

FILES = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
ALL: list[Document] = [document for path in FILES for document in documents(path)]
SECRETS = {"kirana-common", "kirana-owner", "kirana-command", "kirana-query", "kirana-projector"}


def of(kind: str) -> dict[str, Document]:
    return {document["metadata"]["name"]: document for document in ALL if document["kind"] == kind}


def pods() -> list[Any]:
    found = {**of("Deployment"), **of("Job")}
    return [pytest.param(document["spec"]["template"], id=name) for name, document in found.items()]


@pytest.mark.parametrize("pod", pods())
def test_a_pod_starts_what_exists_with_settings_that_do(pod: Document) -> None:
    [container] = pod["spec"]["containers"]
    runs(container["command"])
    assert re.search(r":\d", container["image"])
    assert {variable["name"] for variable in container["env"]} <= known_settings()
    names = {source["secretRef"]["name"] for source in container["envFrom"]}
    assert names <= SECRETS
    assert ("kirana-owner" in names) == (pod["metadata"]["labels"]["part"] == "setup")


@pytest.mark.parametrize("pod", pods())
def test_a_pod_has_no_power_and_a_limit(pod: Document) -> None:
    spec = pod["spec"]
    [container] = spec["containers"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["automountServiceAccountToken"] is False
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert {"cpu", "memory"} <= set(container["resources"]["requests"])
    assert "memory" in container["resources"]["limits"]


def test_labels_select_the_pods_they_mean() -> None:
    labels = {name: document["spec"]["template"]["metadata"]["labels"] for name, document in of("Deployment").items()}
    for name, deployment in of("Deployment").items():
        assert deployment["spec"]["selector"]["matchLabels"] == labels[name]
    for name, service in of("Service").items():
        assert service["spec"]["selector"] == labels[name]
    for name, budget in of("PodDisruptionBudget").items():
        assert budget["spec"]["selector"]["matchLabels"] == labels[name]
    for name, scaler in of("HorizontalPodAutoscaler").items():
        assert scaler["spec"]["scaleTargetRef"]["name"] == name
        assert scaler["spec"]["minReplicas"] >= 2


async def test_probes_ask_for_paths_that_are_there(settings: Settings) -> None:
    for name in ("kirana-command", "kirana-query"):
        [container] = of("Deployment")[name]["spec"]["template"]["spec"]["containers"]
        asked = [container[f"{probe}Probe"]["httpGet"] for probe in ("startup", "liveness", "readiness")]
        async with serving(create_app(settings)) as client:
            for probe in asked:
                status = (await client.get(probe["path"])).status_code
                assert status == 200, f"{probe['path']} answers {status}"
        assert {probe["port"] for probe in asked} == {port["name"] for port in container["ports"]}


def test_reads_and_writes_go_their_ways() -> None:
    [route] = of("HTTPRoute").values()
    reads, writes = route["spec"]["rules"]
    assert [match["method"] for match in reads["matches"]] == ["GET", "HEAD"]
    assert reads["backendRefs"] == [{"name": "kirana-query", "port": 80}]
    assert all("method" not in match for match in writes["matches"])
    assert writes["backendRefs"] == [{"name": "kirana-command", "port": 80}]
    assert {backend["name"] for rule in (reads, writes) for backend in rule["backendRefs"]} == set(of("Service"))
