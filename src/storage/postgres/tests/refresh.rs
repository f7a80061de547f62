//! RFC 9700 section 4.14.2: refresh tokens rotate, a lost answer costs nothing, a replay ends the family.

use std::sync::LazyLock;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use uuid::Uuid;

use super::{Setting, count, noon};
use crate::model::id::{ClientId, ExchangeId, FamilyId, ResourceUri};
use crate::model::session::EndReason;
use crate::storage::StoreError;
use crate::storage::postgres::Postgres;
use crate::storage::postgres::family::redeem::{NewRefresh, RedeemOutcome, Redemption};
use crate::storage::postgres::family::rotate::{Kept, Presented, RotateOutcome, Rotated, Rotation};

/// A family whose refresh token number `seq` hashes to `[seq + 1; 32]`.
struct Family {
    setting: Setting,
    id: FamilyId,
}

impl Family {
    async fn new(scopes: &[&str]) -> Self {
        let setting = Setting::new().await;
        let id = begin(&setting, scopes).await;
        Self { setting, id }
    }

    fn rotation(&self, seq: u8) -> Rotation<'_> {
        rotation(&self.setting.client.id, self.id, seq)
    }

    async fn rotate(&self, rotation: &Rotation<'_>, now: DateTime<Utc>) -> RotateOutcome {
        self.setting.db.postgres.rotate_refresh_token(rotation, now).await.expect("an answer")
    }

    async fn is_alive(&self) -> bool {
        self.setting.db.postgres.find_family(self.id, None, noon()).await.unwrap().unwrap().is_alive
    }
}

async fn begin(setting: &Setting, scopes: &[&str]) -> FamilyId {
    let id = FamilyId(Uuid::new_v4());
    let mut grant = setting.grant(scopes);
    grant.resources = vec![ResourceUri::new("https://api.example")];
    let redemption = Redemption {
        id,
        exchange_id: ExchangeId(Uuid::new_v4()),
        grant: &grant,
        code_generation: None,
        code_hash: [0; 32],
        code_challenge: None,
        refresh: Some(NewRefresh { hash: [1; 32], idle_expires_at: noon() + TimeDelta::days(7) }),
        bound_jkt: None,
        bound_x5t: None,
        expires_at: noon() + TimeDelta::days(30),
    };
    assert_eq!(setting.db.postgres.redeem_code(&redemption, noon()).await.unwrap(), RedeemOutcome::Won);
    id
}

/// What the client may have.
static ALLOWED: LazyLock<(Vec<String>, Vec<ResourceUri>)> = LazyLock::new(|| {
    let scopes = ["openid", "email", "phone", "offline_access"].map(ToOwned::to_owned);
    (scopes.into(), vec![ResourceUri::new("https://api.example"), ResourceUri::new("https://other.example")])
});

fn rotation(client_id: &ClientId, id: FamilyId, seq: u8) -> Rotation<'_> {
    let presented = Presented {
        id,
        seq: seq.into(),
        hash: [seq + 1; 32],
        client_id,
        scopes: &[],
        resources: &[],
        allowed_scopes: &ALLOWED.0,
        allowed_resources: &ALLOWED.1,
        details: &[],
        allowed_types: &[],
        jkt: None,
        x5t: None,
        grace: TimeDelta::seconds(10),
        idle_expires_at: noon() + TimeDelta::days(8),
    };
    Rotation { presented, binds_successor: false, salt: [seq + 101; 32], key_id: 200, successor_hash: [seq + 2; 32] }
}

fn rotated(outcome: RotateOutcome) -> Rotated {
    match outcome {
        RotateOutcome::Rotated(rotated) => rotated,
        other => panic!("not rotated: {other:?}"),
    }
}

fn repeated(outcome: RotateOutcome) -> Rotated {
    match outcome {
        RotateOutcome::Repeated(rotated) => rotated,
        other => panic!("not repeated: {other:?}"),
    }
}

#[tokio::test]
async fn a_token_is_rotated_and_its_successor_too() {
    let family = Family::new(&["openid", "offline_access"]).await;
    let first = rotated(family.rotate(&family.rotation(0), noon()).await);
    assert_eq!((first.seq, first.rotated_at, first.salt, first.key_id), (1, noon(), [101; 32], 200));
    assert_eq!(first.expires_at, noon() + TimeDelta::days(30));
    assert_eq!(first.grant.scopes, ["openid", "offline_access"]);
    let later = noon() + TimeDelta::days(7);
    assert_eq!(rotated(family.rotate(&family.rotation(1), later).await).seq, 2);
    let gone = noon() + TimeDelta::days(8);
    assert_eq!(family.rotate(&family.rotation(2), gone).await, RotateOutcome::Ended);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_hundred_rotations_in_parallel_one_wins_and_all_get_the_same_successor() {
    let family = Family::new(&["openid"]).await;
    let racers: Vec<_> = (0..200)
        .map(|racer: u8| Rotation { salt: [racer; 32], successor_hash: [racer; 32], ..family.rotation(0) })
        .collect();
    let outcomes = join_all(racers.iter().map(|racer| family.rotate(racer, noon()))).await;
    let mut winners = Vec::new();
    let mut all = Vec::new();
    for outcome in outcomes {
        match outcome {
            RotateOutcome::Rotated(rotated) => {
                winners.push(rotated.salt);
                all.push(rotated);
            }
            RotateOutcome::Repeated(rotated) => all.push(rotated),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((winners.len(), all.len()), (1, 200));
    assert!(all.windows(2).all(|pair| pair[0] == pair[1]));
    let winner = winners[0][0];
    let next =
        Rotation { presented: Presented { hash: [winner; 32], ..family.rotation(1).presented }, ..family.rotation(1) };
    assert_eq!(rotated(family.rotate(&next, noon()).await).seq, 2);
}

#[tokio::test]
async fn the_token_before_the_last_works_for_the_grace_and_then_ends_the_family() {
    let family = Family::new(&["openid"]).await;
    let first = rotated(family.rotate(&family.rotation(0), noon()).await);
    let within = noon() + TimeDelta::seconds(9);
    assert_eq!(repeated(family.rotate(&family.rotation(0), within).await), first);
    // Repeating does not extend the grace.
    let over = noon() + TimeDelta::seconds(10);
    assert_eq!(family.rotate(&family.rotation(0), over).await, RotateOutcome::Replayed);
    assert!(!family.is_alive().await);
    assert_eq!(family.rotate(&family.rotation(1), over).await, RotateOutcome::Ended);
    let sql = "SELECT count(*) FROM token_family WHERE revoke_reason = 'refresh_replay'";
    assert_eq!(family.setting.db.count(sql).await, 1);
}

#[tokio::test]
async fn without_grace_every_repetition_is_a_replay() {
    let family = Family::new(&["openid"]).await;
    let strict = Rotation {
        presented: Presented { grace: TimeDelta::zero(), ..family.rotation(0).presented },
        ..family.rotation(0)
    };
    rotated(family.rotate(&strict, noon()).await);
    // Another node's clock may be a little behind the one that rotated.
    let behind = noon() - TimeDelta::milliseconds(5);
    assert_eq!(family.rotate(&strict, behind).await, RotateOutcome::Replayed);
    assert!(!family.is_alive().await);
}

#[tokio::test]
async fn an_even_older_token_ends_the_family_also_within_the_grace() {
    let family = Family::new(&["openid"]).await;
    rotated(family.rotate(&family.rotation(0), noon()).await);
    rotated(family.rotate(&family.rotation(1), noon()).await);
    assert_eq!(family.rotate(&family.rotation(0), noon()).await, RotateOutcome::Replayed);
    assert!(!family.is_alive().await);
}

#[tokio::test]
async fn a_genuine_token_of_another_branch_ends_the_family() {
    let family = Family::new(&["openid"]).await;
    rotated(family.rotate(&family.rotation(0), noon()).await);
    let branch =
        Rotation { presented: Presented { hash: [99; 32], ..family.rotation(1).presented }, ..family.rotation(1) };
    assert_eq!(family.rotate(&branch, noon()).await, RotateOutcome::Replayed);
    assert!(!family.is_alive().await);
}

#[tokio::test]
async fn a_wrong_client_scope_or_resource_changes_nothing() {
    let family = Family::new(&["openid", "email"]).await;
    let (thief, email, phone) = (ClientId::new("thief"), ["email".to_owned()], ["phone".to_owned()]);
    let (ours, theirs) = ([ResourceUri::new("https://api.example")], [ResourceUri::new("https://other.example")]);
    let wrong = [
        (
            Rotation {
                presented: Presented { client_id: &thief, ..family.rotation(0).presented },
                ..family.rotation(0)
            },
            RotateOutcome::WrongClient,
        ),
        (
            Rotation { presented: Presented { scopes: &phone, ..family.rotation(0).presented }, ..family.rotation(0) },
            RotateOutcome::ScopeNotGranted,
        ),
        (
            Rotation {
                presented: Presented { resources: &theirs, ..family.rotation(0).presented },
                ..family.rotation(0)
            },
            RotateOutcome::ResourceNotGranted,
        ),
    ];
    for (rotation, expected) in &wrong {
        assert_eq!(family.rotate(rotation, noon()).await, *expected);
    }
    let narrow = Rotation {
        presented: Presented { scopes: &email, resources: &ours, ..family.rotation(0).presented },
        ..family.rotation(0)
    };
    assert_eq!(rotated(family.rotate(&narrow, noon()).await).grant.scopes, ["openid", "email"]);
    // The same while the grace lasts.
    for (rotation, expected) in &wrong {
        assert_eq!(family.rotate(rotation, noon()).await, *expected);
    }
    repeated(family.rotate(&narrow, noon()).await);
    // But an old token is a replay whatever it asks for.
    let late = noon() + TimeDelta::minutes(1);
    assert_eq!(family.rotate(&wrong[0].0, late).await, RotateOutcome::WrongClient);
    assert_eq!(family.rotate(&wrong[1].0, late).await, RotateOutcome::Replayed);
}

#[tokio::test]
async fn a_token_from_the_future_is_refused_and_nothing_is_revoked() {
    let family = Family::new(&["openid"]).await;
    assert_eq!(family.rotate(&family.rotation(1), noon()).await, RotateOutcome::FromTheFuture);
    assert!(family.is_alive().await);
    let unknown = rotation(&family.setting.client.id, FamilyId(Uuid::new_v4()), 0);
    assert_eq!(family.rotate(&unknown, noon()).await, RotateOutcome::Ended);
}

#[tokio::test]
async fn a_family_without_a_refresh_token_cannot_be_rotated() {
    let family = Family::new(&["openid"]).await;
    family.setting.db.execute("UPDATE token_family SET cur_hash = NULL, idle_expires_at = NULL").await;
    assert_eq!(family.rotate(&family.rotation(0), noon()).await, RotateOutcome::Ended);
    assert!(family.is_alive().await);
}

#[tokio::test]
async fn a_sender_constrained_family_is_not_rotated_for_a_mere_bearer() {
    for column in ["bound_jkt", "bound_x5t"] {
        let family = Family::new(&["openid"]).await;
        family.setting.db.execute(&format!("UPDATE token_family SET {column} = 'thumbprint'")).await;
        assert_eq!(family.rotate(&family.rotation(0), noon()).await, RotateOutcome::WrongKey);
        assert!(family.is_alive().await);
    }
    // Who is bound to both has to have both.
    let family = Family::new(&["openid"]).await;
    family.setting.db.execute("UPDATE token_family SET bound_x5t = 'certificate', bound_jkt = 'key'").await;
    let (jkt, x5t) = (Some("key"), Some("certificate"));
    for (jkt, x5t) in [(jkt, None), (None, x5t), (jkt, Some("key")), (Some("certificate"), x5t)] {
        let half = Rotation { presented: Presented { jkt, x5t, ..family.rotation(0).presented }, ..family.rotation(0) };
        assert_eq!(family.rotate(&half, noon()).await, RotateOutcome::WrongKey);
    }
    rotated(
        family
            .rotate(
                &Rotation { presented: Presented { jkt, x5t, ..family.rotation(0).presented }, ..family.rotation(0) },
                noon(),
            )
            .await,
    );
}

#[tokio::test]
async fn rfc_8705_section_4_a_rotation_binds_to_the_certificate_where_it_should() {
    let family = Family::new(&["openid"]).await;
    let with = |seq, x5t, binds_successor| Rotation {
        presented: Presented { x5t: Some(x5t), ..family.rotation(seq).presented },
        binds_successor,
        ..family.rotation(seq)
    };
    // A confidential client may take a new certificate each time.
    rotated(family.rotate(&with(0, "one", false), noon()).await);
    rotated(family.rotate(&with(1, "two", false), noon()).await);
    rotated(family.rotate(&with(2, "three", true), noon()).await);
    for (seq, now) in [(2, noon()), (3, noon()), (1, noon() + TimeDelta::minutes(1))] {
        assert_eq!(family.rotate(&with(seq, "two", true), now).await, RotateOutcome::WrongKey);
        assert_eq!(family.rotate(&family.rotation(seq), now).await, RotateOutcome::WrongKey);
    }
    repeated(family.rotate(&with(2, "three", true), noon()).await);
    rotated(family.rotate(&with(3, "three", true), noon()).await);
    assert!(family.is_alive().await);
}

#[tokio::test]
async fn rfc_9449_section_5_a_bound_family_is_rotated_with_its_key_alone() {
    let family = Family::new(&["openid"]).await;
    family.setting.db.execute("UPDATE token_family SET bound_jkt = 'key'").await;
    let proven = |seq| Rotation {
        presented: Presented { jkt: Some("key"), ..family.rotation(seq).presented },
        binds_successor: true,
        ..family.rotation(seq)
    };
    let stolen = |seq| Rotation {
        presented: Presented { jkt: Some("other"), ..family.rotation(seq).presented },
        binds_successor: true,
        ..family.rotation(seq)
    };
    for wrong in [family.rotation(0), stolen(0)] {
        assert_eq!(family.rotate(&wrong, noon()).await, RotateOutcome::WrongKey);
    }
    let first = rotated(family.rotate(&proven(0), noon()).await);
    // The same while the grace lasts, and for an old token: who lacks the key can end nothing.
    assert_eq!(repeated(family.rotate(&proven(0), noon()).await), first);
    for now in [noon(), noon() + TimeDelta::minutes(1)] {
        for wrong in [family.rotation(0), stolen(0), stolen(1)] {
            assert_eq!(family.rotate(&wrong, now).await, RotateOutcome::WrongKey);
        }
    }
    assert!(family.is_alive().await);
    rotated(family.rotate(&proven(1), noon()).await);
    assert_eq!(family.rotate(&proven(0), noon()).await, RotateOutcome::Replayed);
    assert!(!family.is_alive().await);
}

#[tokio::test]
async fn a_rotation_binds_a_family_where_it_should_and_does_not_change_its_key() {
    let bound = "SELECT count(*) FROM token_family WHERE bound_jkt = 'key'";
    let family = Family::new(&["openid"]).await;
    let with = |seq, jkt, binds_successor| Rotation {
        presented: Presented { jkt: Some(jkt), ..family.rotation(seq).presented },
        binds_successor,
        ..family.rotation(seq)
    };
    // A confidential client may take a new key each time.
    rotated(family.rotate(&with(0, "one", false), noon()).await);
    rotated(family.rotate(&with(1, "two", false), noon()).await);
    assert_eq!(family.setting.db.count("SELECT count(*) FROM token_family WHERE bound_jkt IS NULL").await, 1);
    rotated(family.rotate(&with(2, "key", true), noon()).await);
    assert_eq!(family.setting.db.count(bound).await, 1);
    // The token before it was not bound; the answer that is given again is.
    assert_eq!(family.rotate(&with(2, "two", true), noon()).await, RotateOutcome::WrongKey);
    assert_eq!(family.rotate(&family.rotation(2), noon()).await, RotateOutcome::WrongKey);
    repeated(family.rotate(&with(2, "key", true), noon()).await);
    rotated(family.rotate(&with(3, "key", true), noon()).await);
    assert_eq!(family.setting.db.count(bound).await, 1);
}

#[tokio::test]
async fn what_ended_ends_the_refresh_token() {
    let family = Family::new(&["openid"]).await;
    let postgres = &family.setting.db.postgres;
    let mut disabled = family.setting.client.clone();
    disabled.enabled = false;
    postgres.update_client(&disabled, noon()).await.unwrap();
    assert_eq!(family.rotate(&family.rotation(0), noon()).await, RotateOutcome::Ended);
    postgres.update_client(&family.setting.client, noon()).await.unwrap();
    let expired = noon() + TimeDelta::days(30);
    let patient = Rotation {
        presented: Presented { idle_expires_at: noon() + TimeDelta::days(99), ..family.rotation(0).presented },
        ..family.rotation(0)
    };
    assert_eq!(family.rotate(&patient, expired).await, RotateOutcome::Ended);
    postgres.end_session(family.setting.session.sid, EndReason::Logout, noon()).await.unwrap();
    assert_eq!(family.rotate(&family.rotation(0), noon()).await, RotateOutcome::Ended);
    assert!(!family.is_alive().await);
}

#[tokio::test]
async fn offline_access_outlives_the_session_but_not_the_subject() {
    let family = Family::new(&["openid", "offline_access"]).await;
    let postgres = &family.setting.db.postgres;
    postgres.end_session(family.setting.session.sid, EndReason::Logout, noon()).await.unwrap();
    rotated(family.rotate(&family.rotation(0), noon()).await);
    assert!(family.is_alive().await);
    postgres.sign_out_everywhere(&family.setting.subject, noon()).await.unwrap();
    assert_eq!(family.rotate(&family.rotation(1), noon()).await, RotateOutcome::Ended);
    assert!(!family.is_alive().await);
}

#[tokio::test]
async fn rotation_never_outlives_the_family() {
    let family = Family::new(&["openid"]).await;
    let patient = Rotation {
        presented: Presented { idle_expires_at: noon() + TimeDelta::days(99), ..family.rotation(0).presented },
        ..family.rotation(0)
    };
    rotated(family.rotate(&patient, noon()).await);
    let sql = "SELECT count(*) FROM token_family WHERE idle_expires_at = expires_at";
    assert_eq!(family.setting.db.count(sql).await, 1);
}

/// One prepared statement, one commit, no index touched: what keeps the path cheap. As many rotations as fit on the page,
/// because other tests can delay the cleaning of it.
#[tokio::test]
async fn a_rotation_is_one_cached_statement_and_a_heap_only_update() {
    let setting = Setting::new().await;
    let id = begin(&setting, &["openid"]).await;
    let single: Postgres = setting.db.pool(|options| options.pool_size = 1);
    let commits = "SELECT xact_commit AS count FROM pg_stat_database WHERE datname = current_database()";
    let flush = "SELECT count(*) FROM (SELECT pg_stat_force_next_flush()) AS f";
    single.rotate_refresh_token(&rotation(&setting.client.id, id, 0), noon()).await.unwrap();
    count(&single, flush).await;
    let first = count(&single, commits).await;
    count(&single, flush).await;
    let second = count(&single, commits).await;
    for seq in 1..=8 {
        rotated(single.rotate_refresh_token(&rotation(&setting.client.id, id, seq), noon()).await.unwrap());
    }
    count(&single, flush).await;
    let third = count(&single, commits).await;
    // Counting costs commits itself: as many as when nothing was rotated in between.
    assert_eq!((third - second) - (second - first), 8);
    let tuples = |column| format!("SELECT {column} AS count FROM pg_stat_user_tables WHERE relname = 'token_family'");
    assert_eq!(count(&single, &tuples("n_tup_upd")).await, 9);
    assert_eq!(count(&single, &tuples("n_tup_hot_upd")).await, 9);
    let prepared = "SELECT (generic_plans + custom_plans) AS count FROM pg_prepared_statements \
                    WHERE statement LIKE 'UPDATE token_family f%'";
    assert_eq!(count(&single, prepared).await, 9);
}

#[tokio::test]
async fn a_token_that_is_kept_is_good_again_and_again_and_puts_its_end_off_once_in_a_while() {
    let family = Family::new(&["openid", "offline_access"]).await;
    let keep = async |seq, now: DateTime<Utc>| {
        let presented = Presented { idle_expires_at: now + TimeDelta::days(7), ..family.rotation(seq).presented };
        family.setting.db.postgres.keep_refresh_token(&presented, now).await.expect("an answer")
    };
    let kept = |outcome| match outcome {
        RotateOutcome::Kept(Kept { grant, expires_at }) => (grant.scopes, expires_at),
        other => panic!("not kept: {other:?}"),
    };
    // Each use puts the end off by seven days, which a single week from noon would not have lasted.
    for days in [0, 6, 12] {
        let (scopes, expires_at) = kept(keep(0, noon() + TimeDelta::days(days)).await);
        assert_eq!(scopes, ["openid", "offline_access"]);
        assert_eq!(expires_at, noon() + TimeDelta::days(30));
    }
    assert_eq!(keep(0, noon() + TimeDelta::days(20)).await, RotateOutcome::Ended, "nobody used it for a week");
    // What was rotated before the client began to keep its tokens follows the rules of rotation.
    let family = Family::new(&["openid", "offline_access"]).await;
    rotated(family.rotate(&family.rotation(0), noon()).await);
    let keep = async |seq, now| {
        let presented = family.rotation(seq).presented;
        family.setting.db.postgres.keep_refresh_token(&presented, now).await.expect("an answer")
    };
    repeated(keep(0, noon() + TimeDelta::seconds(9)).await);
    kept(keep(1, noon() + TimeDelta::seconds(10)).await);
    assert_eq!(keep(0, noon() + TimeDelta::seconds(10)).await, RotateOutcome::Replayed);
    assert!(!family.is_alive().await);
    assert_eq!(keep(1, noon() + TimeDelta::seconds(11)).await, RotateOutcome::Ended);
}

/// Postgres writes the row of a statement before it commits. Whoever believed the row alone would acknowledge what never was: the
/// client would throw the good token away.
#[tokio::test]
async fn a_rotation_that_was_not_committed_is_an_outage() {
    let family = Family::new(&["openid", "offline_access"]).await;
    family.setting.db.let_commits_fail("token_family").await;
    let rotation = family.rotation(0);
    let answer = family.setting.db.postgres.rotate_refresh_token(&rotation, noon()).await;
    assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
    family.setting.db.let_commits_succeed("token_family").await;
    rotated(family.rotate(&rotation, noon()).await);
}
