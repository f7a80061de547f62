//! The tables, as the migrated database has them. Written by `scripts/schema`; a test compares.

diesel::table! {
    access_request (id) {
        id -> Uuid,
        subject -> Text,
        settings -> Jsonb,
        reason -> Text,
        status -> Text,
        decided_by -> Nullable<Text>,
        decided_at -> Nullable<Timestamptz>,
        note -> Nullable<Text>,
        client_id -> Nullable<Text>,
        sealed_secret -> Nullable<Bytea>,
        delivered_at -> Nullable<Timestamptz>,
        revision -> Int8,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    applied_policy (singleton) {
        singleton -> Bool,
        objects -> Jsonb,
        applied_at -> Timestamptz,
    }
}

diesel::table! {
    audit_event (id) {
        id -> Int8,
        event -> Text,
        outcome -> Text,
        actor_kind -> Text,
        actor -> Nullable<Text>,
        client_id -> Nullable<Text>,
        subject -> Nullable<Text>,
        object -> Nullable<Text>,
        ip -> Nullable<Inet>,
        request_id -> Nullable<Text>,
        detail -> Nullable<Jsonb>,
        happened_at -> Timestamptz,
        seal -> Nullable<Int8>,
    }
}

diesel::table! {
    audit_seal (number) {
        number -> Int8,
        records -> Int4,
        digest -> Bytea,
        key_id -> Int2,
        mac -> Bytea,
        sealed_at -> Timestamptz,
        emptied_at -> Nullable<Timestamptz>,
        emptied_key_id -> Nullable<Int2>,
        emptied_mac -> Nullable<Bytea>,
    }
}

diesel::table! {
    authorization_details_type (type_) {
        #[sql_name = "type"]
        type_ -> Text,
        schema -> Jsonb,
        name -> Jsonb,
        sentence -> Jsonb,
        resources -> Array<Text>,
        revision -> Int8,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        deleted_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    client (client_id) {
        client_id -> Text,
        enabled -> Bool,
        settings -> Jsonb,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        revision -> Int8,
        deleted_at -> Nullable<Timestamptz>,
        generation -> Int8,
        registered_through -> Nullable<Text>,
    }
}

diesel::table! {
    client_metadata_document (client_id) {
        client_id -> Text,
        client_revision -> Int8,
        fetched_at -> Timestamptz,
        fresh_until -> Timestamptz,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    client_registration (client_id) {
        client_id -> Text,
        token_hash -> Bytea,
        initial_access_token -> Nullable<Uuid>,
        created_at -> Timestamptz,
        client_revision -> Int8,
    }
}

diesel::table! {
    client_secret (client_id, id) {
        client_id -> Text,
        id -> Uuid,
        kind -> Text,
        mac -> Bytea,
        key_id -> Int2,
        expires_at -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    client_use (client_id) {
        client_id -> Text,
        used_at -> Timestamptz,
    }
}

diesel::table! {
    consent (subject, client_id) {
        subject -> Text,
        client_id -> Text,
        scopes -> Array<Text>,
        resources -> Array<Text>,
        granted_at -> Timestamptz,
        expires_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    initial_access_token (id) {
        id -> Uuid,
        hash -> Bytea,
        note -> Text,
        policy -> Jsonb,
        uses -> Int4,
        max_uses -> Nullable<Int4>,
        expires_at -> Timestamptz,
        revoked_at -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    installation (singleton) {
        singleton -> Bool,
        kind -> Text,
        created_at -> Timestamptz,
        bootstrapped_at -> Nullable<Timestamptz>,
        pairwise_salt -> Nullable<Bytea>,
    }
}

diesel::table! {
    jwks_fetch (client_id, network, agent) {
        client_id -> Text,
        network -> Text,
        agent -> Text,
        fetched_at -> Timestamptz,
    }
}

diesel::table! {
    kept_answer (principal, key) {
        principal -> Text,
        key -> Text,
        request_hash -> Bytea,
        sealed -> Bytea,
        created_at -> Timestamptz,
        expires_at -> Timestamptz,
    }
}

diesel::table! {
    keyset_version (singleton) {
        singleton -> Bool,
        version -> Int8,
    }
}

diesel::table! {
    outbox (id) {
        id -> Int8,
        kind -> Text,
        payload -> Jsonb,
        attempts -> Int4,
        due_at -> Timestamptz,
        taken_until -> Nullable<Timestamptz>,
        done_at -> Nullable<Timestamptz>,
        failed_at -> Nullable<Timestamptz>,
        last_error -> Nullable<Text>,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    password_ticket (hash) {
        hash -> Bytea,
        person_id -> Uuid,
        purpose -> Text,
        created_at -> Timestamptz,
        expires_at -> Timestamptz,
    }
}

diesel::table! {
    person (id) {
        id -> Uuid,
        username -> Text,
        username_key -> Text,
        claims -> Jsonb,
        is_administrator -> Bool,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        revision -> Int8,
    }
}

diesel::table! {
    person_password (person_id) {
        person_id -> Uuid,
        phc -> Text,
        changed_at -> Timestamptz,
    }
}

diesel::table! {
    policy_version (singleton) {
        singleton -> Bool,
        version -> Int8,
    }
}

diesel::table! {
    resource (uri) {
        uri -> Text,
        name -> Jsonb,
        scopes -> Array<Text>,
        restricted -> Bool,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        revision -> Int8,
        deleted_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    revoked_token (jti) {
        jti -> Text,
        expires_at -> Timestamptz,
    }
}

diesel::table! {
    schema_meta (singleton) {
        singleton -> Bool,
        version -> Int4,
        compatible_from -> Int4,
    }
}

diesel::table! {
    scope (name) {
        name -> Text,
        description -> Jsonb,
        published -> Bool,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        revision -> Int8,
        deleted_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    session (sid) {
        sid -> Uuid,
        subject -> Text,
        generation -> Int8,
        auth_time -> Timestamptz,
        amr -> Array<Text>,
        acr -> Text,
        seen_at -> Timestamptz,
        expires_at -> Timestamptz,
        ended_at -> Nullable<Timestamptz>,
        end_reason -> Nullable<Text>,
        created_at -> Timestamptz,
        review_at -> Timestamptz,
    }
}

diesel::table! {
    signing_key (kid) {
        kid -> Text,
        id -> Int8,
        alg -> Text,
        purpose -> Text,
        state -> Text,
        sealed -> Nullable<Bytea>,
        external -> Nullable<Jsonb>,
        created_at -> Timestamptz,
        published_at -> Timestamptz,
        activated_at -> Nullable<Timestamptz>,
        superseded_at -> Nullable<Timestamptz>,
        retire_at -> Nullable<Timestamptz>,
        retired_at -> Nullable<Timestamptz>,
        revoke_reason -> Nullable<Text>,
    }
}

diesel::table! {
    subject (id) {
        id -> Text,
        backend -> Text,
        backend_ref -> Text,
        status -> Text,
        generation -> Int8,
        deleted_at -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        code_generation -> Int8,
    }
}

diesel::table! {
    token_family (id) {
        id -> Uuid,
        exchange_id -> Uuid,
        grant_type -> Text,
        client_id -> Text,
        subject -> Text,
        generation -> Int8,
        sid -> Uuid,
        scopes -> Array<Text>,
        resources -> Array<Text>,
        authorization_details -> Nullable<Jsonb>,
        claims -> Nullable<Jsonb>,
        acr -> Text,
        amr -> Array<Text>,
        auth_time -> Timestamptz,
        bound_jkt -> Nullable<Text>,
        bound_x5t -> Nullable<Text>,
        act -> Nullable<Jsonb>,
        code_hash -> Bytea,
        code_challenge -> Nullable<Text>,
        seq -> Int4,
        cur_hash -> Nullable<Bytea>,
        prev_hash -> Nullable<Bytea>,
        salt -> Nullable<Bytea>,
        key_id -> Nullable<Int2>,
        rotated_at -> Nullable<Timestamptz>,
        idle_expires_at -> Nullable<Timestamptz>,
        expires_at -> Timestamptz,
        revoked_at -> Nullable<Timestamptz>,
        revoke_reason -> Nullable<Text>,
        created_at -> Timestamptz,
        client_generation -> Int8,
    }
}

diesel::table! {
    token_lifetime (seconds) {
        seconds -> Int8,
        last_in_force_at -> Timestamptz,
    }
}

diesel::joinable!(client_secret -> client (client_id));

diesel::allow_tables_to_appear_in_same_query!(client, client_secret, token_family);
