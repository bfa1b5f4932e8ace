"""Claims about what is left to do on a host."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from model.host.hoststate import File, Folder, HostState, SystemdUnit, User
from model.host.observed_state import ObservedFile, ObservedState, ObservedUnit, ObservedUser
from model.host.state_plan import BEGIN, END, plan

NOTHING = ObservedState(
    packages={}, held=frozenset(), files={}, present=frozenset(), units={}, sysctl={}, modules=frozenset()
)
SECRET = "correct horse battery staple"


def _seen(file: File, text: str | None = None) -> ObservedFile:
    content = file.text if text is None else text
    return ObservedFile(hashlib.sha256(content.encode()).hexdigest(), file.mode, file.owner, content)


def _obey(desired: HostState, seen: ObservedState) -> ObservedState:
    """Do to a host in memory what a plan says, as the script does it to a real one."""
    todo = plan(desired, seen)
    files = {**seen.files, **{file.path: _seen(file) for file in todo.files}}
    units = dict(seen.units)
    for name in {*todo.enable, *todo.disable, *todo.start, *todo.stop, *todo.restart}:
        old = units.get(name, ObservedUnit("disabled", "inactive"))
        enabled = "enabled" if name in todo.enable else ("disabled" if name in todo.disable else old.enabled)
        started = name in todo.start or name in todo.restart
        units[name] = ObservedUnit(enabled, "active" if started else ("inactive" if name in todo.stop else old.active))
    return ObservedState(
        packages={**seen.packages, **{name: f"{desired.versions.get(name, 1)}.7-1" for name in todo.packages}},
        held=seen.held | set(todo.held),
        files={path: file for path, file in files.items() if path not in todo.absent},
        present=seen.present - set(todo.absent),
        units=units,
        sysctl={**seen.sysctl, **todo.sysctl},
        modules=seen.modules | set(todo.modules),
        swaps=() if todo.swapoff else seen.swaps,
        users={
            name: user for name, user in {**seen.users, **_accounts(todo.users)}.items() if name not in todo.userless
        },
        folders={**seen.folders, **{folder.path: (folder.mode, folder.owner) for folder in todo.folders}},
    )


def _accounts(users: tuple[User, ...]) -> dict[str, ObservedUser]:
    return {user.name: ObservedUser(user.home, user.shell, frozenset({user.name}), True) for user in users}


_names = st.sampled_from(["alpha", "beta", "gamma"])
_texts = st.text(alphabet="abc\n# ", max_size=30)
_files = st.builds(
    File,
    path=st.sampled_from(["/etc/a", "/etc/b"]),
    text=_texts,
    mode=st.sampled_from([0o600, 0o644]),
    secret=st.booleans(),
    restart=st.sets(st.sampled_from(["a.service"])).map(tuple),
    block=st.booleans(),
)
_states = st.builds(
    HostState,
    packages=st.sets(_names).map(tuple),
    versions=st.dictionaries(_names, st.sampled_from(["1", "1.36"])),
    swept=st.sets(st.sampled_from(["/etc/c*", "/etc/*/d"])).map(tuple),
    files=st.lists(_files, max_size=2, unique_by=lambda file: file.path).map(tuple),
    absent=st.sets(st.sampled_from(["/etc/c", "/etc/d"])).map(tuple),
    units=st.lists(
        st.builds(
            SystemdUnit,
            st.sampled_from(["a.service", "b.service"]),
            st.sampled_from([True, False, None]),
            st.booleans(),
        ),
        max_size=2,
        unique_by=lambda unit: unit.name,
    ).map(tuple),
    sysctl=st.dictionaries(st.sampled_from(["net.a", "vm.b"]), st.sampled_from(["0", "1"])),
    modules=st.sets(_names).map(tuple),
    swapless=st.booleans(),
    users=st.sets(st.builds(User, st.sampled_from(["ann", "bob"]), _names, _names)).map(lambda drawn: tuple(drawn)[:1]),
    userless=st.sets(st.just("carl")).map(tuple),
    folders=st.sets(st.builds(Folder, st.just("/srv/a"), st.sampled_from([0o755, 0o2775]))).map(
        lambda drawn: tuple(drawn)[:1]
    ),
)
_hosts = st.builds(
    ObservedState,
    packages=st.dictionaries(_names, st.sampled_from(["1", "1.36.3-1.1", "2.0"])),
    held=st.just(frozenset()),
    files=st.dictionaries(
        st.sampled_from(["/etc/a", "/etc/b"]), st.builds(lambda text: _seen(File("", text), text), _texts)
    ),
    present=st.sets(st.sampled_from(["/etc/c", "/etc/d"])).map(frozenset),
    units=st.dictionaries(
        st.sampled_from(["a.service", "b.service"]),
        st.builds(
            ObservedUnit,
            st.sampled_from(["enabled", "disabled", ""]),
            st.sampled_from(["active", "inactive", "failed"]),
        ),
    ),
    sysctl=st.dictionaries(st.sampled_from(["net.a", "vm.b"]), st.sampled_from(["0", "1"])),
    modules=st.sets(_names).map(frozenset),
    swaps=st.sampled_from([(), ("/dev/zram0",)]),
    users=st.dictionaries(
        st.sampled_from(["ann", "carl"]),
        st.builds(
            ObservedUser, _names, _names, st.sets(st.sampled_from(["ann", "sudo"])).map(frozenset), st.booleans()
        ),
    ),
    folders=st.dictionaries(st.just("/srv/a"), st.tuples(st.sampled_from([0o755, 0o700]), st.just("root:root"))),
)


@given(_states, _hosts)
def test_after_a_plan_nothing_is_left_to_do(desired: HostState, host: ObservedState) -> None:
    after = _obey(desired, host)
    assert plan(desired, after).lines == ()
    assert not plan(desired, after)


@given(_states)
def test_every_wish_that_a_bare_host_lacks_is_named(desired: HostState) -> None:
    todo = plan(desired, NOTHING)
    diff = todo.diff
    for name in desired.packages:
        assert f"+ package {name}" in diff
    for file in desired.files:
        assert file.path in diff


def test_a_package_of_another_version_is_replaced_and_says_from_which_to_which() -> None:
    wanted = HostState(packages=("kubelet", "kubeadm", "vim"), versions={"kubelet": "1.36", "kubeadm": "1.36"})
    todo = plan(wanted, replace(NOTHING, packages={"kubelet": "1.35.9-1.1", "vim": "9"}))
    assert (todo.packages, todo.replaced) == (("kubelet", "kubeadm"), ("kubelet",))
    assert todo.lines == ("~ package kubelet: 1.35.9-1.1 -> 1.36", "+ package kubeadm (1.36)")
    assert not plan(wanted, replace(NOTHING, packages={"kubelet": "1.36.3-1", "kubeadm": "1.36.4-1", "vim": "9"}))


def test_of_what_is_ours_only_what_is_declared_stays() -> None:
    here, gone = File("/etc/apt/x/matrix-fleet-a", "a"), "/etc/apt/x/matrix-fleet-b"
    seen = replace(NOTHING, files={here.path: _seen(here)}, present=frozenset({here.path, gone, "/etc/other"}))
    todo = plan(HostState(files=(here,), swept=("/etc/apt/x/matrix-fleet-*",)), seen)
    assert (todo.absent, todo.lines) == ((gone,), (f"- {gone}",))


def test_a_secret_is_compared_and_never_shown() -> None:
    file = File("/etc/key", f"{SECRET}\n", mode=0o600, secret=True)
    for host in (NOTHING, replace(NOTHING, files={"/etc/key": ObservedFile("0" * 64, 0o600, "root:root")})):
        todo = plan(HostState(files=(file,)), host)
        assert todo.files == (file,)
        assert SECRET not in todo.diff
        assert "/etc/key" in todo.diff


def test_another_mode_or_owner_alone_is_a_change() -> None:
    file = File("/etc/a", "text\n", mode=0o600)
    for wrong in (replace(_seen(file), mode=0o644), replace(_seen(file), owner="nobody:nogroup")):
        assert plan(HostState(files=(file,)), replace(NOTHING, files={"/etc/a": wrong})).files == (file,)


def test_a_block_leaves_what_others_wrote_around_it() -> None:
    block = File("/etc/hosts", "10.0.0.1 a\n", block=True)
    before = "127.0.0.1 localhost\n"
    first = plan(HostState(files=(block,)), replace(NOTHING, files={"/etc/hosts": _seen(block, before)})).files[0].text
    assert first == f"{before}{BEGIN}\n10.0.0.1 a\n{END}\n"
    changed = replace(block, text="10.0.0.2 b\n")
    seen = replace(NOTHING, files={"/etc/hosts": _seen(block, f"{first}192.0.2.1 theirs\n")})
    second = plan(HostState(files=(changed,)), seen).files[0].text
    assert second == f"{before}{BEGIN}\n10.0.0.2 b\n{END}\n192.0.2.1 theirs\n"


def test_a_changed_file_restarts_what_reads_it_and_starts_it_only_once() -> None:
    file = File("/etc/a", "new\n", restart=("a.service",))
    desired = HostState(files=(file,), units=(SystemdUnit("a.service"),))
    todo = plan(desired, replace(NOTHING, units={"a.service": ObservedUnit("enabled", "inactive")}))
    assert todo.restart == ("a.service",)
    assert todo.start == ()


def test_a_service_that_is_just_reading_its_configuration_runs() -> None:
    desired = HostState(units=(SystemdUnit("a.service"),))
    assert not plan(desired, replace(NOTHING, units={"a.service": ObservedUnit("enabled", "reloading")}))


def test_a_stopped_unit_is_found() -> None:
    desired = HostState(units=(SystemdUnit("a.service"),))
    todo = plan(desired, replace(NOTHING, units={"a.service": ObservedUnit("enabled", "failed")}))
    assert todo.start == ("a.service",)


def test_values_of_the_kernel_are_compared_by_word() -> None:
    desired = HostState(sysctl={"net.ipv4.ip_local_port_range": "32768 60999"})
    same = replace(NOTHING, sysctl={"net.ipv4.ip_local_port_range": "32768\t60999 "})
    assert not plan(desired, same)
    assert plan(desired, replace(NOTHING, sysctl={"net.ipv4.ip_local_port_range": "1024 60999"}))


def test_an_account_in_another_group_or_with_a_password_is_corrected_and_says_what_it_was() -> None:
    wanted = HostState(users=(User("fleet", "/home/fleet", "/bin/sh"),))
    good = ObservedUser("/home/fleet", "/bin/sh", frozenset({"fleet"}), True)
    assert not plan(wanted, replace(NOTHING, users={"fleet": good}))
    for other in (
        replace(good, groups=frozenset({"fleet", "sudo"})),
        replace(good, locked=False),
        ObservedUser("/home/fleet", "/bin/bash", frozenset({"fleet"}), True),
    ):
        assert plan(wanted, replace(NOTHING, users={"fleet": other})).users == wanted.users
    diff = plan(
        wanted, replace(NOTHING, users={"fleet": replace(good, groups=frozenset({"fleet", "sudo"}), locked=False)})
    )
    assert "a password, groups fleet, sudo ->" in diff.diff


def test_an_opaque_file_is_shown_by_its_digest() -> None:
    file = File("/opt/program", "x\n" * 1000, mode=0o755, opaque=True)
    assert plan(HostState(files=(file,)), NOTHING).lines == (f"+ /opt/program (mode 0755) sha256 {file.sha256}",)
    other = replace(NOTHING, files={file.path: ObservedFile("0" * 64, 0o755, "root:root")})
    assert plan(HostState(files=(file,)), other).lines == (f"~ /opt/program: sha256 {'0' * 64} -> {file.sha256}",)
