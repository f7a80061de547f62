# shellcheck shell=bash disable=SC2034
# (What is set here is read by whoever sources this.)
#
# Sourced after packages.sh. A private Postgres and a private Valkey for the tests, below one folder; stop_services stops
# both. Nothing that was there before is touched.

SERVICES="" # the folder
VALKEY_PID=""

# Runs a command as the account of Postgres, which refuses to run as root.
as_postgres() {
    if [ "$(id -u)" -ne 0 ]; then
        "$@"
    elif setpriv --reuid 0 --regid 0 --clear-groups true 2>/dev/null; then
        # Not every setpriv can: that of busybox knows none of this.
        setpriv --reuid "$POSTGRES_ACCOUNT" --regid "$(id -g "$POSTGRES_ACCOUNT")" --clear-groups "$@"
    else
        # Quoted for the shell that su starts.
        su -s /bin/sh "$POSTGRES_ACCOUNT" -c "$(printf '%q ' "$@")"
    fi
}

# Where the folder lies: in memory, if there is room. Every test has a database, which is some hundreds of files, and file
# systems on disks are slow to make so many and to drop them at once: it was a third of the work of the whole suite.
folder_of_services() {
    local free
    free="$(df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 && $1 == "tmpfs" { print $4 }')"
    if [ "${free:-0}" -ge 3145728 ] && [ -w /dev/shm ]; then
        echo /dev/shm
    else
        echo /tmp
    fi
}

make_services_folder() {
    # Short: the path of a Unix socket has 107 bytes at most.
    SERVICES="$(mktemp -d "$(folder_of_services)/ostiary-test.XXXXXX")"
    # Tests make the servers that they have for themselves there too.
    export OSTIARY_TEST_FOLDER="$SERVICES"
    POSTGRES_ACCOUNT="$(id -un)"
    mkdir -m 700 "$SERVICES/postgres"
    if [ "$(id -u)" -eq 0 ]; then
        POSTGRES_ACCOUNT=postgres
        id postgres >/dev/null 2>&1 || POSTGRES_ACCOUNT=nobody
        chmod 711 "$SERVICES"
        chown "$POSTGRES_ACCOUNT" "$SERVICES/postgres"
    fi
}

# Sets OSTIARY_TEST_DATABASE_URL: a superuser, over a Unix socket in a folder that nobody else can enter.
start_postgres() {
    local folder="$SERVICES/postgres"
    (
        cd "$folder"
        unset "${!PG@}"
        LC_ALL=C as_postgres "$POSTGRES_BIN/initdb" -D "$folder/data" -U ostiary -A trust -E UTF8 --locale=C --no-sync \
            >"$SERVICES/initdb.log" 2>&1 || { cat "$SERVICES/initdb.log" >&2; exit 1; }
        # Its data is thrown away: it need not survive a crash of the machine.
        as_postgres "$POSTGRES_BIN/pg_ctl" -D "$folder/data" -l "$folder/log" -w -s start -o "-c listen_addresses= \
            -c unix_socket_directories=$folder -c fsync=off -c full_page_writes=off -c synchronous_commit=off \
            -c max_connections=500 -c shared_buffers=128MB" || { cat "$folder/log" >&2; exit 1; }
    ) || return 1
    export OSTIARY_TEST_DATABASE_URL="postgres:///postgres?host=$folder&user=ostiary"
}

valkey_answers() {
    local answer=""
    { exec 3<>"/dev/tcp/127.0.0.1/$1"; } 2>/dev/null || return 1
    printf 'AUTH %s\r\nPING\r\n' "$2" >&3
    # The first line answers AUTH, the second PING.
    IFS= read -r -t 2 answer <&3 && IFS= read -r -t 2 answer <&3 || true
    exec 3>&-
    [[ "$answer" == *PONG* ]]
}

# Sets OSTIARY_TEST_VALKEY_URL: a free port, and a password, because every account of this machine can reach a port.
start_valkey() {
    local port password
    password="$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')"
    for _ in 1 2 3 4 5 6 7 8; do
        port=$((20000 + RANDOM % 30000))
        # The password goes through standard input: an argument can be seen by everybody.
        printf 'port %s\nbind 127.0.0.1\nrequirepass %s\nsave ""\nappendonly no\nmaxmemory-policy noeviction\ndir %s\n' \
            "$port" "$password" "$SERVICES" | "$VALKEY" - >"$SERVICES/valkey.log" 2>&1 &
        VALKEY_PID=$!
        for _ in $(seq 100); do
            if valkey_answers "$port" "$password"; then
                export OSTIARY_TEST_VALKEY_URL="redis://:$password@127.0.0.1:$port/0"
                return 0
            fi
            kill -0 "$VALKEY_PID" 2>/dev/null || break
            sleep 0.05
        done
        kill "$VALKEY_PID" 2>/dev/null || true
        VALKEY_PID=""
    done
    cat "$SERVICES/valkey.log" >&2
    return 1
}

stop_services() {
    if [ -n "$VALKEY_PID" ]; then
        kill "$VALKEY_PID" 2>/dev/null || true
        wait "$VALKEY_PID" 2>/dev/null || true
    fi
    if [ -n "$SERVICES" ]; then
        if [ -f "$SERVICES/postgres/data/postmaster.pid" ]; then
            (cd / && as_postgres "$POSTGRES_BIN/pg_ctl" -D "$SERVICES/postgres/data" -m immediate -w -s stop) || true
        fi
        rm -rf "$SERVICES"
    fi
}
