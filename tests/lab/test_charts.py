"""A chart in a publisher's module becomes the file that its publisher renders; what is not understood stops it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from lab.bundle import building, charts, compiling, modules, toolchain
from lab.bundle.ingredients import Chart, GoComponent
from lab.bundle.recipe import DEFAULT, RECIPES
from lab.errors import LabError

CHART = Chart(
    "charts/greeter", "greeter", before=("namespace.yaml",), values={"creator": "static", "watched": {"enabled": False}}
)
HELPERS = """
{{- define "greeter.name" -}}
{{- default .Chart.Name .Values.other | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- define "labels" -}}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{- if eq .Values.creator "helm" }}
helm.sh/chart: {{ .Release.Service }}
{{- end -}}
{{- end -}}
"""
DEPLOYMENT = """
kind: Deployment
metadata:
  name: {{ include "greeter.name" . }}
  namespace: {{ .Release.Namespace }}
  labels:
    {{- include "labels" . | nindent 4 }}
spec:
  replicas: {{ .Values.replicas }}
  nothing: {{ .Values.absent }}
  {{- with .Values.rights }}
  securityContext:
    {{- toYaml . | nindent 4 }}
  {{- end }}
"""
MONITOR = "{{- if .Values.watched.enabled }}\nkind: ServiceMonitor\n{{- end }}\n"
DEFINITION = "kind: CustomResourceDefinition\nmetadata: {labels: {app: '{{ template \"greeter.name\" . }}'}}\n"
VALUES = "{creator: helm, replicas: 2, other: '', rights: {drop: [ALL]}, watched: {enabled: true, every: 60}}"


@pytest.fixture
def module(tmp_path: Path) -> Path:
    """A module with a chart, and the files that are kept of it."""
    texts = {
        "module/namespace.yaml": "kind: Namespace\n",
        "module/charts/greeter/values.yaml": VALUES,
        "module/charts/greeter/templates/_helpers.tpl": HELPERS,
        "module/charts/greeter/templates/deployment.yaml": DEPLOYMENT,
        "module/charts/greeter/templates/monitor.yaml": MONITOR,
        "module/charts/greeter/templates/NOTES.txt": "{{ unheard-of }}",
        "kept/crds/a.yaml": DEFINITION,
    }
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_what_the_publisher_puts_first_stands_first_and_notes_are_no_objects(module: Path) -> None:
    files = charts.templates(module / "module", module / "kept", CHART)
    names = ["namespace.yaml", "a.yaml", "_helpers.tpl", "deployment.yaml", "monitor.yaml"]
    assert [file.name for file in files] == names


@pytest.mark.parametrize("wrong", [replace(CHART, folder="charts/other"), replace(CHART, before=("other.yaml",))])
def test_a_module_without_the_chart_is_told(module: Path, wrong: Chart) -> None:
    with pytest.raises(LabError, match="names a chart of another version"):
        charts.templates(module / "module", module / "kept", wrong)


def test_values_of_the_publishers_file_count_before_those_of_the_chart(module: Path) -> None:
    known = charts.knowledge(module / "module", CHART, "v1.2")
    values = known["Values"]
    assert isinstance(values, dict)
    assert (values["creator"], values["replicas"], values["watched"]) == ("static", 2, {"enabled": False, "every": 60})
    assert known["Chart"] == {"Name": "greeter", "Version": "v1.2", "AppVersion": "v1.2"}


def test_another_chart_or_renderer_makes_another_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ((_, component, chart),) = RECIPES[DEFAULT].charts
    before = charts.key(component, chart), building.folder_of(RECIPES[DEFAULT])
    assert charts.key(component, replace(chart, values={})) != before[0]
    (tmp_path / "chart.go").write_text("package main")
    monkeypatch.setattr(charts, "RENDERER", tmp_path / "chart.go")
    assert charts.key(component, chart) != before[0]
    assert building.folder_of(RECIPES[DEFAULT]) != before[1]


def test_a_bundle_without_the_application_renders_no_chart() -> None:
    assert replace(RECIPES[DEFAULT], application=False).charts == ()


def test_a_chart_is_rendered_as_its_publisher_renders_it(real_machine: None, module: Path) -> None:
    files = charts.templates(module / "module", module / "kept", CHART)
    text = charts.render(_go(), files, charts.knowledge(module / "module", CHART, "v1.2"))
    assert list(yaml.safe_load_all(text)) == [
        {"kind": "Namespace"},
        {"kind": "CustomResourceDefinition", "metadata": {"labels": {"app": "greeter"}}},
        {
            "kind": "Deployment",
            "metadata": {
                "name": "greeter",
                "namespace": "greeter",
                "labels": {"app.kubernetes.io/version": "v1.2"},
            },
            "spec": {"replicas": 2, "nothing": None, "securityContext": {"drop": ["ALL"]}},
        },
    ]


def test_a_function_that_is_not_known_stops_the_build(real_machine: None, module: Path) -> None:
    file = module / "module/charts/greeter/templates/deployment.yaml"
    file.write_text("{{ lookup .Values.creator }}")
    files = charts.templates(module / "module", module / "kept", CHART)
    with pytest.raises(LabError, match=r'deployment\.yaml:1: function "lookup" not defined'):
        charts.render(_go(), files, charts.knowledge(module / "module", CHART, "v1.2"))


def _go() -> modules.Go:
    return modules.Go(toolchain.ensure(print), compiling.environment(GoComponent("x", "a.example/x")))
