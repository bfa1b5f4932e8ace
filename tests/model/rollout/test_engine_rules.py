"""Small rules of the rollout: keys, fields of others, secrets' places, hashes, inventories, leases, selection."""

from __future__ import annotations

import base64
import copy
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.errors import ApiCause, KubernetesError, SelectionError, SiteError
from model.rollout import lease
from model.rollout.changes import immutable_fields
from model.rollout.conflicts import FieldConflict, conflicts_of, without
from model.rollout.contained import contains
from model.rollout.fill import fill
from model.rollout.foreign import foreign_fields
from model.rollout.inventory import (
    PROOF_LASTS,
    AppliedEntry,
    ComponentInventory,
    GateProof,
    from_manifest,
    may_go,
    proof,
)
from model.rollout.keys import ObjectKey, key_of
from model.rollout.rendered import SecretRef
from model.rollout.restart import ANNOTATION, keyed_hash, with_hash
from model.rollout.selection import all_needed, chosen
from model.rollout.veil import Veil
from model.site.components import Component
from tests.mutation import loaded

Manifest = dict[str, Any]
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)


def secret(**strings: str) -> Manifest:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "n"}, "stringData": strings}


def deployment(*volumes: Manifest) -> Manifest:
    template = {"spec": {"containers": [{"name": "main"}], "volumes": list(volumes)}}
    meta = {"name": "d", "namespace": "n"}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": {"template": template}}


def value_of(ref: SecretRef) -> bytes:
    return f"{ref.name}+{ref.key}".encode()


def test_a_conflict_names_manager_and_field() -> None:
    causes = [
        ApiCause("FieldManagerConflict", ".spec.replicas", 'conflict with "kubectl" with subresource "scale" using v1'),
        ApiCause("FieldValueInvalid", ".spec.x", "something else"),
    ]
    assert conflicts_of(causes) == (FieldConflict("kubectl", ".spec.replicas"),)


@pytest.mark.parametrize(
    ("field", "gone"),
    [
        (".spec.replicas", ("spec", "replicas")),
        (".metadata.labels.app.kubernetes.io/name", ("metadata", "labels", "app.kubernetes.io/name")),
        ('.spec.list[name="a"].image', ("spec", "list", 0, "image")),
        ('.spec.list[name="a"]', ("spec", "list", 0)),
        (".spec.nothing.at.all", ()),
    ],
)
def test_a_manifest_is_left_without_a_field(field: str, gone: tuple[Any, ...]) -> None:
    whole = {
        "metadata": {"labels": {"app.kubernetes.io/name": "x"}},
        "spec": {"replicas": 2, "list": [{"name": "a", "image": "i"}]},
    }
    wanted: Any = copy.deepcopy(whole)
    if gone:
        place = wanted
        for key in gone[:-1]:
            place = place[key]
        del place[gone[-1]]
    assert without(whole, [field]) == wanted
    assert whole["spec"]["replicas"] == 2  # type: ignore[index]  # plain data


@given(PLAIN)
def test_everything_contains_itself(value: Any) -> None:
    assert contains(value, value)


def test_more_in_a_map_is_no_difference_and_more_in_a_list_is() -> None:
    assert contains({"a": 1, "b": 2}, {"a": 1})
    assert not contains({"a": [1, 2]}, {"a": [1]})
    assert not contains({"a": True}, {"a": 1})
    assert contains({}, {"a": {}, "b": None, "c": []})
    assert not contains({}, {"a": 0})


def test_a_secret_is_filled_into_data_alone() -> None:
    filled = fill(secret(a="@@secret:redis/password@@", b="x@@secret:s3/key@@y"), value_of)
    assert "stringData" not in filled
    assert {key: base64.b64decode(value) for key, value in filled["data"].items()} == {
        "a": b"redis+password",
        "b": b"xs3+keyy",
    }


@pytest.mark.parametrize("place", ["metadata", "kind"])
def test_a_secret_anywhere_else_is_refused(place: str) -> None:
    manifest = secret()
    if place == "metadata":
        manifest["metadata"]["annotations"] = {"a": "@@secret:redis/password@@"}
    else:
        manifest |= {"kind": "ConfigMap", "data": {"a": "@@secret:redis/password@@"}}
    with pytest.raises(SiteError, match="redis/password in clear"):
        fill(manifest, value_of)


def test_pods_restart_when_what_they_mount_changes_and_not_otherwise() -> None:
    volumes = (
        {"name": "c", "configMap": {"name": "c"}},
        {"name": "p", "projected": {"sources": [{"secret": {"name": "s"}}]}},
    )

    def marked(**contents: str) -> str:
        held = {
            (kind, "n", name): {"data": {"a": contents[name]}} for kind, name in (("ConfigMap", "c"), ("Secret", "s"))
        }
        found = with_hash(deployment(*volumes), held, b"key")
        return str(found["spec"]["template"]["metadata"]["annotations"][ANNOTATION])

    assert marked(c="1", s="1") == marked(c="1", s="1")
    assert len({marked(c="1", s="1"), marked(c="2", s="1"), marked(c="1", s="2")}) == 3


def test_pods_that_mount_nothing_of_ours_are_not_marked() -> None:
    assert with_hash(deployment({"secret": {"secretName": "made-by-others"}}), {}, b"key") == deployment(
        {"secret": {"secretName": "made-by-others"}}
    )


def test_a_hash_depends_on_the_key() -> None:
    assert keyed_hash("hunter2", b"one") != keyed_hash("hunter2", b"two")


@pytest.mark.parametrize("form", ["p4ssword-long", "cDRzc3dvcmQtbG9uZw==", "7034737377"])
def test_a_value_is_veiled_however_it_is_written(form: str) -> None:
    written = "70347373776f72642d6c6f6e67" if form.startswith("7034") else form
    assert Veil([b"p4ssword-long", b""])(f"it is {written}!") in ("it is (secret)!", "it is (secret)==!")


@pytest.mark.parametrize("before", ["", "a", "ab", "abc"])
@pytest.mark.parametrize("after", ["", "y", "yz", "xyz"])
def test_a_value_is_veiled_within_what_is_encoded_with_it(before: str, after: str) -> None:
    value = "p4sswørd/+with?odd>parts~long"
    text = f"{before}{value}{after}".encode()
    veil = Veil([value.encode()])
    for coded in (base64.b64encode(text).decode(), base64.urlsafe_b64encode(text).decode()):
        # At most the letters of what stands around it are left.
        assert len(veil(f"data: {coded}.").replace("(secret)", "")) <= len("data: .") + 8
    assert veil(quote(text)) == f"{before}(secret){after}"
    assert veil(value.encode().hex().upper()) == "(secret)"


def test_a_value_is_veiled_as_errors_quote_it() -> None:
    value = "pa\"ss\\wo'rd-long"
    for quoted in (repr(value), repr(value.encode()), json.dumps(value), str(KeyError(value))):
        told = Veil([value.encode()])(f"cannot use {quoted}")
        assert told.replace("'", '"') in ('cannot use "(secret)"', 'cannot use b"(secret)"')
    document = json.dumps({"private_key": "-----BEGIN KEY-----\n0123456789abcdef0123456789\n"})
    assert Veil([document.encode()])("line 0123456789abcdef0123456789") == "line (secret)"


def test_an_inventory_is_read_as_it_was_written() -> None:
    kept = ComponentInventory(
        component="redis",
        site="here",
        entries={ObjectKey("apps", "StatefulSet", "matrix", "redis"): AppliedEntry("apps/v1", "abc")},
        proofs={"redis": GateProof("2026-01-01 00:00:00 UTC", "def")},
    )
    assert from_manifest(kept.to_manifest()) == kept


def test_a_proof_holds_for_its_state_and_for_so_long() -> None:
    now = datetime(2026, 1, 8, tzinfo=UTC)
    assert proof("abc", now).holds("abc", now + PROOF_LASTS)
    assert not proof("abc", now).holds("abc", now + PROOF_LASTS + timedelta(seconds=1))
    assert not proof("abc", now).holds("def", now)
    assert not proof("abc", now + timedelta(days=1)).holds("abc", now)
    assert not GateProof("some day", "abc").holds("abc", now)


def test_data_goes_only_where_it_is_named() -> None:
    claim = key_of({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "a", "namespace": "n"}})
    assert not may_go(claim, frozenset())
    assert not may_go(claim, frozenset({"PersistentVolumeClaim/other/a"}))
    assert may_go(claim, frozenset({"PersistentVolumeClaim/n/a"}))
    assert may_go(ObjectKey("", "ConfigMap", "n", "a"), frozenset())


def test_a_lease_is_free_once_nobody_renews_it() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    holder = lease.read(lease.held("me", now))
    assert not holder.free(now + timedelta(seconds=lease.SECONDS - 1))
    assert holder.free(now + timedelta(seconds=lease.SECONDS))
    assert lease.read({"metadata": {}, "spec": {}}).free(now)


def test_what_is_immutable_is_told_from_what_is_wrong() -> None:
    def refused(field: str, message: str) -> KubernetesError:
        return KubernetesError("cp-1", "PATCH", message, status=422, causes=[ApiCause("Invalid", field, message)])

    assert immutable_fields(refused("spec.selector", "Invalid value: field is immutable")) == ("spec.selector",)
    forbidden = "Forbidden: updates to statefulset spec for fields other than 'replicas' are forbidden"
    assert immutable_fields(refused("spec", forbidden)) == ("spec",)
    assert immutable_fields(refused("spec.port", "Invalid value: must be between 1 and 65535")) == ()


def managed(manager: str, **more: str) -> Manifest:
    """An object beside whose label `a` a manager has set another one, and a whole part."""
    fields: Manifest = {"f:metadata": {"f:labels": {"f:a": {}, "f:b": {}}}, "f:spec": {"f:x": {"f:y": {}}}}
    return {"metadata": {"managedFields": [{"manager": manager, "operation": "Update", "fieldsV1": fields, **more}]}}


OTHERS = [
    *("kubectl", "kubectl-edit", "helm", "argocd-controller", "kustomize-controller", "ansible", "kube-janitor"),
    *("Terraform", "HashiCorp", "OpenAPI-Generator", "python-requests", "Go-http-client", "before-first-apply"),
    "manager",
]
EXPECTED = [
    *("matrix-fleet", "kube-controller-manager", "kube-scheduler", "clusterrole-aggregation-controller", "contour"),
    *("cert-manager-cainjector", "cert-manager-certificates-issuing"),
]


@pytest.mark.parametrize("manager", OTHERS)
def test_a_field_that_anybody_else_added_is_named_with_whoever_it_was(manager: str) -> None:
    found = foreign_fields(managed(manager), {"metadata": {"labels": {"a": "1"}}})
    assert found == (f"{manager} set .metadata.labels.b", f"{manager} set .spec")
    assert foreign_fields(managed(manager, subresource="status"), {"metadata": {"labels": {"a": "1"}}}) == ()


def test_entries_that_somebody_added_to_a_list_are_named_and_those_declared_are_not() -> None:
    side: Manifest = {".": {}, "f:name": {}}
    main = side | {"f:tty": {}}
    containers = {'k:{"name":"main"}': main, 'k:{"name":"side"}': side}
    number: Manifest = {"f:port": {}}
    ports = {'k:{"port":80,"protocol":"TCP"}': number, 'k:{"port":81,"protocol":"TCP"}': number}
    fields: Manifest = {"f:metadata": {"f:finalizers": {'v:"a"': {}, 'v:"b"': {}}}, "f:c": containers, "f:ports": ports}
    live = {"metadata": {"managedFields": [{"manager": "flux", "operation": "Apply", "fieldsV1": fields}]}}
    wanted = {"metadata": {"finalizers": ["a"]}, "c": [{"name": "main"}], "ports": [{"port": 80}]}
    assert foreign_fields(live, wanted) == (
        'flux set .metadata.finalizers["b"]',
        'flux set .c[name="main"].tty',
        'flux set .c[name="side"]',
        'flux set .ports[port=81,protocol="TCP"]',
    )


def test_who_gives_no_name_is_named_all_the_same() -> None:
    assert foreign_fields(managed(""), {"metadata": {"labels": {"a": "", "b": ""}}}) == (
        "somebody without a name set .spec",
    )


@pytest.mark.parametrize("manager", EXPECTED)
def test_what_we_or_the_clusters_own_programs_added_goes_without_a_word(manager: str) -> None:
    assert foreign_fields(managed(manager), {"metadata": {"labels": {"a": "1"}}}) == ()


POSTGRESQL = "postgresql.cnpg.io"


def webhooks(*groups: str) -> Manifest:
    """A configuration with one webhook for each group."""
    entries = [{"name": group, "rules": [{"apiGroups": [group], "resources": ["*"]}]} for group in groups]
    return {"kind": "ValidatingWebhookConfiguration", "metadata": {"labels": {"a": "1"}}, "webhooks": entries}


def definition(group: str) -> Manifest:
    """The definition of a kind of a group."""
    return {
        "kind": "CustomResourceDefinition",
        "metadata": {"labels": {"a": "1"}},
        "spec": {"group": group, "x": {"y": 1}},
    }


@pytest.mark.parametrize(
    ("wanted", "quiet"),
    [
        ({"apiVersion": f"{POSTGRESQL}/v1", "kind": "Cluster", "metadata": {"labels": {"a": "1"}}}, True),
        ({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"labels": {"a": "1"}}}, False),
        ({"apiVersion": f"{POSTGRESQL}.example/v1", "kind": "Cluster", "metadata": {"labels": {"a": "1"}}}, False),
        (webhooks(POSTGRESQL, POSTGRESQL), True),
        (webhooks(POSTGRESQL, "apps"), False),
        (webhooks(), False),
        (definition(POSTGRESQL), True),
        (definition("example.test"), False),
    ],
)
def test_the_name_that_many_operators_have_counts_for_postgresqls_own_objects(wanted: Manifest, quiet: bool) -> None:
    assert (foreign_fields(managed("manager"), wanted) == ()) == quiet


@pytest.mark.parametrize("annotations", [{}, {"annotations": {"c": "1"}}])
def test_a_restart_goes_without_a_word_and_what_was_set_beside_it_does_not(annotations: Manifest) -> None:
    def live(*names: str) -> Manifest:
        notes: Manifest = {".": {}} | {f"f:{name}": {} for name in names}
        fields = {"f:spec": {"f:template": {"f:metadata": {"f:annotations": notes}}}}
        return {"metadata": {"managedFields": [{"manager": "kubectl-rollout", "fieldsV1": fields}]}}

    wanted: Manifest = {"spec": {"template": {"metadata": {"labels": {"a": "1"}} | annotations}}}
    quiet = ("kubectl.kubernetes.io/restartedAt", "kubectl.kubernetes.io/last-applied-configuration")
    assert foreign_fields(live(*quiet), wanted) == ()
    (words,) = foreign_fields(live(*quiet, "b"), wanted)
    path = ".spec.template.metadata.annotations"
    assert words == f"kubectl-rollout set {path}{'.b' if annotations else ''}"


def test_what_is_asked_for_is_chosen_in_order() -> None:
    site = loaded()
    assert [component.name for component in chosen(site, ("redis", "namespaces"), None)] == ["namespaces", "redis"]
    assert {component.phase for component in chosen(site, (), 1)} == {1}
    with pytest.raises(SelectionError, match="did you mean redis"):
        chosen(site, ("rediss",), None)
    with pytest.raises(SelectionError, match="the site does not have it"):
        chosen(site, ("minio",), None)
    with pytest.raises(SelectionError, match="no component of it"):
        chosen(site, ("redis",), 1)


def test_all_that_a_component_stands_on_is_known() -> None:
    parts = [
        Component(name="a", phase=1, title="a"),
        Component(name="b", phase=1, title="b", needs=("a", "absent")),
        Component(name="c", phase=1, title="c", needs=("b",)),
    ]
    assert all_needed(parts[2], parts) == {"a", "b"}
