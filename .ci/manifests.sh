#!/usr/bin/env bash
# The manifests in k3s-shim/deploy against the API schemas that Kubernetes publishes (PyPI kubernetes-validate has those
# of all releases from 1.25 on), strictly: no field that the release does not know. The tests in
# k3s-shim/node/tests/manifests.rs look at what these schemas do not say, and at the two that are for other programs.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=${CARGO_TARGET_DIR:-target}/kubernetes-validate
if ! [ -e "$folder/done" ]; then
    rm -rf "$folder"
    if ! pip install --quiet --disable-pip-version-check --root-user-action ignore --target "$folder" 'kubernetes-validate>=1.37'; then
        echo "skipped: kubernetes-validate cannot be installed here"
        exit 0
    fi
    touch "$folder/done"
fi
folder=$(realpath "$folder")
# `fits RELEASE FILE...`
fits() {
    PYTHONPATH=$folder python3 -m kubernetes_validate --strict --quiet --kubernetes-version "$@"
}

cd k3s-shim/deploy
all=(runtimeclass.yaml samples/pod.yaml samples/deployment.yaml)
# They say what AppArmor is to do as it is said since 1.30.
since_30=(installer.yaml uninstaller.yaml)
checked=0
for schemas in "$folder"/kubernetes_validate/kubernetes-json-schema/*-local-strict; do
    release=$(basename "$schemas" | sed 's/^v\([0-9]*\.[0-9]*\)\..*/\1/')
    files=("${all[@]}")
    [ "${release#1.}" -lt 30 ] || files+=("${since_30[@]}")
    fits "$release" "${files[@]}"
    checked=$((checked + 1))
    newest=$release
done
[ $checked -ge 10 ]

# It sees what is wrong: a field that is misspelt, one that is missing, a value of another type.
spoilt=$(mktemp)
trap 'rm -f "$spoilt"' EXIT
for mistake in 's/runtimeClassName/runtimeClass/' '/containerPort/d' 's/containerPort: .*/containerPort: many/'; do
    sed "$mistake" samples/pod.yaml >"$spoilt"
    if fits "$newest" "$spoilt" >/dev/null 2>&1; then
        echo "manifests.sh: this mistake is not seen: $mistake" >&2
        exit 1
    fi
done
echo "${#all[@]} manifests fit $checked releases of Kubernetes, up to $newest; ${#since_30[@]} more fit those since 1.30"
