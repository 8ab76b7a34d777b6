# Sourced by every script here: strict mode, the checkout as working directory, and the few shared words.
# shellcheck shell=bash
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# rustup's Rust is often not on the PATH of a non-login shell, and goes before the one that Debian may have besides
# (`.scripts/wasm` installs it).
if [ -x "${HOME:-}/.cargo/bin/cargo" ]; then
    case "$(command -v cargo || true)" in
        "" | /usr/bin/cargo) PATH="$HOME/.cargo/bin:$PATH" ;;
    esac
fi

target_dir="${CARGO_TARGET_DIR:-target}"

say() { printf 'kunji: %s\n' "$*" >&2; }

die() {
    say "$*"
    exit 1
}

# Prints the path of the SoftHSM module, or fails.
find_softhsm() {
    local candidate
    for candidate in \
        /usr/lib/softhsm/libsofthsm2.so \
        /usr/lib/*/softhsm/libsofthsm2.so \
        /usr/lib64/pkcs11/libsofthsm2.so \
        /usr/lib64/softhsm/libsofthsm2.so \
        /usr/local/lib/softhsm/libsofthsm2.so; do
        if [ -r "$candidate" ]; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    return 1
}

# Whether NSS softokn is there, the second token of the tests.
has_nss() { compgen -G '/usr/lib*/*/libsoftokn3.so' || compgen -G '/usr/lib*/libsoftokn3.so'; }

# Installs what the Node project in directory $1 needs, unless its lock file is as it was the last time.
install_tools() {
    local installed="$1/node_modules/.kunji-installed"
    if ! cmp -s "$1/package-lock.json" "$installed"; then
        say "installing the tools of $1"
        npm --prefix "$1" ci --no-progress --loglevel=error >&2
        cp "$1/package-lock.json" "$installed"
    fi
}

# Installs what the requirements $2 name into an environment $1 of Python in the target directory, unless they are as they
# were the last time; prints the path of its interpreter. $3 says what that is.
install_python() {
    local directory="$target_dir"
    case "$directory" in /*) ;; *) directory="$PWD/$directory" ;; esac
    local place="$directory/$1"
    if ! cmp -s "$2" "$place/installed.txt"; then
        say "installing $3"
        rm -rf "$place"
        python3 -m venv "$place" >&2
        "$place/bin/pip" install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r "$2" >&2
        cp "$2" "$place/installed.txt"
    fi
    printf '%s\n' "$place/bin/python"
}

# Compiling SurrealDB is most of a first build; nobody should take it for a hang.
announce_first_build() {
    if ! compgen -G "$target_dir/release/deps/libsurrealdb_core-*.rlib" >/dev/null; then
        say "the first build takes about 10 to 15 minutes on 2 cores:" \
            "SurrealDB, the embedded database, is compiled once (into $target_dir)"
    fi
}

# What tests and measurements ask of their surroundings: they make tokens of their own, and need only the module.
export_test_environment() {
    KUNJI_TEST_PKCS11_MODULE="${KUNJI_TEST_PKCS11_MODULE:-$(find_softhsm)}"
    export KUNJI_TEST_PKCS11_MODULE
}

# The database server that the tests of a remote database talk to.
export_database_server() {
    KUNJI_TEST_SURREAL_SERVER="${KUNJI_TEST_SURREAL_SERVER:-$(.scripts/surreal-server)}"
    export KUNJI_TEST_SURREAL_SERVER
}

# The Python with the second verifier of signed PDFs.
export_pyhanko() {
    KUNJI_TEST_PYHANKO="${KUNJI_TEST_PYHANKO:-$(.scripts/pyhanko)}"
    export KUNJI_TEST_PYHANKO
}

# The fuzzer that the tests set upon the HTTP API.
export_fuzzer() {
    KUNJI_TEST_SCHEMATHESIS="${KUNJI_TEST_SCHEMATHESIS:-$(.scripts/schemathesis)}"
    export KUNJI_TEST_SCHEMATHESIS
}

# The Python libraries that the tests of signatures ask.
export_signature_peers() {
    KUNJI_TEST_SIGNATURE_PYTHON="${KUNJI_TEST_SIGNATURE_PYTHON:-$(.scripts/signature-peers)}"
    export KUNJI_TEST_SIGNATURE_PYTHON
}
