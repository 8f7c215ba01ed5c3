"""The dashboard, the alert rules and the pages of operations name only what the code has."""

import json
import re
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY, CollectorRegistry
from pydantic import BaseModel

from app.core.config import Settings
from app.core.metrics import metric_names
from app.core.paths import ROOT
from app.core.role_settings import RoleTimeouts
from app.docs.settings import page
from app.main import create_app
from app.worker.metrics import WorkerMetrics
from projections import metrics as projector_metrics

OPERATIONS = ROOT / "docs" / "operations.md"
DASHBOARD = json.loads((ROOT / "docs" / "operations" / "grafana-dashboard.json").read_text())
ALERTS = yaml.safe_load((ROOT / "docs" / "operations" / "alerts.yml").read_text())
RULES: list[dict[str, Any]] = [rule for group in ALERTS["groups"] for rule in group["rules"]]
PANELS: list[dict[str, Any]] = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
EXPRESSIONS = [rule["expr"] for rule in RULES] + [target["expr"] for panel in PANELS for target in panel["targets"]]


@pytest.fixture(scope="module")
def exported() -> set[str]:
    assert projector_metrics.LEADS is not None, "the projector's are in the library's registry once it is imported"
    worker = CollectorRegistry()
    WorkerMetrics(worker)
    return metric_names(create_app().state.telemetry.metrics.registry, REGISTRY, worker)


def named(text: str) -> set[str]:
    """The metrics a text names; labels' values and the names of jobs aside."""
    return set(re.findall(r"\b(?:kirana|process)_[a-z_]+\b", re.sub(r'"[^"]*"', "", text)))


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_what_is_asked_is_exported(expression: str, exported: set[str]) -> None:
    assert named(expression) <= exported
    assert named(expression) or expression.startswith("up{")
    for opening, closing in ("()", "{}", "[]"):
        assert expression.count(opening) == expression.count(closing)


def test_what_is_exported_is_shown(exported: set[str]) -> None:
    """A metric that no panel and no alert asks for, and no page explains, need not be kept."""
    told = "\n".join(EXPRESSIONS) + OPERATIONS.read_text()
    families = {re.sub(r"_(bucket|sum|count)$", "", name) for name in exported if name.startswith("kirana_")}
    silent = {"kirana_pool_max", "kirana_pool_request_errors_total", "kirana_pool_usage_seconds_total"}
    silent |= {"kirana_pool_connections_lost_total", "kirana_projection_position", "kirana_projection_redis_position"}
    silent |= {"kirana_projector_redis_up"}
    assert {name for name in families if name not in told} <= silent


def test_the_page_names_only_what_is_exported(exported: set[str]) -> None:
    families = {re.sub(r"_(bucket|sum|count)$", "", name) for name in exported}
    assert named(OPERATIONS.read_text().replace("kirana_…", "")) - families <= {
        *("kirana_owner", "kirana_command", "kirana_query", "kirana_projector", "kirana_writer")
    }


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_every_alert_says_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in {"page", "ticket", "info"}
    assert rule["annotations"]["summary"].endswith(".") or "?" in rule["annotations"]["summary"]
    path, _, anchor = rule["annotations"]["runbook"].partition("#")
    headings = re.findall(r"^#+ (.+)$", (ROOT / path).read_text(), re.MULTILINE)
    assert anchor in {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_alerts_and_panels_have_names_of_their_own() -> None:
    for names in ([rule["alert"] for rule in RULES], [panel["title"] for panel in PANELS]):
        assert len(names) == len(set(names))
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    boxes = [panel["gridPos"] for panel in DASHBOARD["panels"]]
    for number, one in enumerate(boxes):
        for other in boxes[number + 1 :]:
            apart = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
            assert apart or one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]


@pytest.mark.parametrize("model", [Settings, RoleTimeouts])
def test_every_setting_says_what_it_is(model: type[BaseModel]) -> None:
    assert [name for name, field in model.model_fields.items() if not (field.description or "").endswith(".")] == []


def test_pages_name_only_variables_that_are_settings() -> None:
    known = set(re.findall(r"`(KIRANA_[A-Z_]+|PROMETHEUS_[A-Z_]+|OTEL_[A-Z_]+)`", page()))
    texts = [OPERATIONS.read_text(), *(path.read_text() for path in (ROOT / "app").rglob("*.py"))]
    used = {name for text in texts for name in re.findall(r"\bKIRANA_[A-Z]+(?:_[A-Z]+)*\b(?!…)", text)}
    beginnings = {"KIRANA_METRICS", "KIRANA_OTLP"}
    unknown = {name for name in used - known - beginnings if not any(one.startswith(name + "__") for one in known)}
    assert unknown == set()
