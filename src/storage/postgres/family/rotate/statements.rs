//! The statements of a rotation, out of the conditions that they share with the question why there was none.

use crate::storage::postgres::family::row::grant_columns;

/// Whether whoever presents a token has what its family `f` is bound to (RFC 9449 section 5, RFC 8705 section 4).
macro_rules! key_fits {
    ($jkt:literal, $x5t:literal) => {
        concat!(
            "((f.bound_jkt IS NULL OR coalesce(f.bound_jkt = ",
            $jkt,
            ", false)) AND (f.bound_x5t IS NULL OR coalesce(f.bound_x5t = ",
            $x5t,
            ", false)))"
        )
    };
}

/// Whether what is asked for, or all that was granted, still leaves something: a token that could not be given must not be used
/// up.
macro_rules! leaves_scopes {
    ($asked:literal, $allowed:literal) => {
        concat!(
            "(CASE WHEN cardinality(",
            $asked,
            ") = 0 THEN cardinality(f.scopes) = 0 OR f.scopes && ",
            $allowed,
            " ELSE ",
            $asked,
            " && ",
            $allowed,
            " END)"
        )
    };
}

/// Whether each of the objects asked for is one of those that were granted, as a whole: containment would let one through that
/// lacks a member, such as a limit.
macro_rules! has_details {
    ($asked:literal) => {
        concat!(
            "(",
            $asked,
            "::jsonb IS NULL OR (f.authorization_details IS NOT NULL AND NOT EXISTS (SELECT 1 FROM jsonb_array_elements(",
            $asked,
            ") AS a (one) WHERE a.one NOT IN (SELECT jsonb_array_elements(f.authorization_details)))))"
        )
    };
}

/// A grant without scopes is one of authorization details alone: then some of those must be left, as of those asked for.
macro_rules! leaves_details {
    ($asked:literal, $allowed:literal) => {
        concat!(
            "(",
            $asked,
            "::jsonb IS NULL AND cardinality(f.scopes) > 0 AND coalesce(jsonb_array_length(f.authorization_details), 0) = 0 \
                OR EXISTS (SELECT 1 FROM jsonb_array_elements(coalesce(",
            $asked,
            ", f.authorization_details)) AS a (one) WHERE a.one ->> 'type' = ANY (",
            $allowed,
            ")))"
        )
    };
}

macro_rules! leaves_resources {
    ($asked:literal, $allowed:literal) => {
        concat!(
            "(CASE WHEN cardinality(",
            $asked,
            ") = 0 THEN cardinality(f.resources) = 0 OR f.resources && ",
            $allowed,
            " ELSE ",
            $asked,
            " && ",
            $allowed,
            " END)"
        )
    };
}

/// The rotation: whether it may be is its condition.
pub(super) const ROTATE: &str = concat!(
    "UPDATE token_family f SET seq = f.seq + 1, prev_hash = f.cur_hash, cur_hash = $7, salt = $8, key_id = $9, \
        rotated_at = $11, idle_expires_at = least($10, f.expires_at), \
        bound_jkt = coalesce(f.bound_jkt, CASE WHEN $13 THEN $12 END), \
        bound_x5t = coalesce(f.bound_x5t, CASE WHEN $13 THEN $16 END) \
     WHERE f.id = $1 AND f.seq = $2 AND f.cur_hash = $3 AND f.client_id = $4 \
        AND f.scopes @> $5 AND f.resources @> $6 AND ",
    leaves_scopes!("$5", "$14"),
    " AND ",
    leaves_resources!("$6", "$15"),
    " AND ",
    has_details!("$17"),
    " AND ",
    leaves_details!("$17", "$18"),
    " AND ",
    key_fits!("$12", "$16"),
    " AND f.revoked_at IS NULL AND f.expires_at > $11 AND f.idle_expires_at > $11 \
        AND EXISTS (SELECT 1 FROM client c \
            WHERE c.client_id = f.client_id AND c.enabled AND c.generation = f.client_generation) \
        AND EXISTS (SELECT 1 FROM subject s \
            WHERE s.id = f.subject AND s.status = 'active' AND s.generation = f.generation) \
        AND ('offline_access' = ANY (f.scopes) OR EXISTS (SELECT 1 FROM session e \
            WHERE e.sid = f.sid AND e.ended_at IS NULL AND e.expires_at > $11)) \
     RETURNING CASE WHEN 'offline_access' <> ALL (f.scopes) THEN (SELECT e.seen_at FROM session e WHERE e.sid = f.sid) END \
        AS session_seen_at, f.seq, f.rotated_at, f.salt, f.key_id, f.expires_at, ",
    grant_columns!()
);

/// Late by a moment it does no harm: whoever revokes, or rotates, meanwhile wins.
pub(super) const PUT_OFF: &str = "
    UPDATE token_family SET idle_expires_at = least($3, expires_at)
    WHERE id = $1 AND cur_hash = $2 AND revoked_at IS NULL AND idle_expires_at < $3";

/// The end of a family, because a token of it was used twice.
pub(super) const REVOKE: &str = "
    UPDATE token_family SET revoked_at = $3, revoke_reason = 'refresh_replay'
    WHERE id = $1 AND client_id = $2 AND revoked_at IS NULL";

pub(super) use {has_details, key_fits, leaves_details, leaves_resources, leaves_scopes};
