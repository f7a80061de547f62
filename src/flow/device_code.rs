//! Device codes (RFC 8628): a device asks, a person decides in a browser, the device fetches what they decided.
//!
//! [`begin`] keeps the request under the identifier of the device code, and that identifier under the hash of the user code;
//! [`find_waiting`] gives the request to whoever typed the user code. The rest is as for anybody who waits: see
//! [`decoupled`].

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};

use super::authorization_request::AuthorizationRequest;
use super::code::new_family_id;
use super::decoupled::{self, Asked, Record, Waiter};
use crate::app::App;
use crate::keys::master_key::Purpose;
use crate::keys::token::PlainCode;
use crate::model::client::Client;
use crate::model::id::FamilyId;
use crate::protocol::user_code::UserCode;
use crate::random;
use crate::storage::StoreError;
use crate::storage::state::{self, Kind, StateKey};

/// Where a person types the code.
pub const PAGE: &str = "/device";

/// Where they hear what became of it.
pub const DONE: &str = "/device/done";

/// How often a user code that is already in use is drawn again.
const DRAWS: usize = 8;

/// What a device is told. Has no `Debug`: it holds a code.
pub struct Begun {
    /// For the device alone.
    pub device_code: String,
    /// For the person.
    pub user_code: UserCode,
}

/// Keeps what a device asks for.
pub async fn begin(app: &App, client: &Client, asked: Asked, now: DateTime<Utc>) -> Result<Begun, StoreError> {
    let id = FamilyId(new_family_id(now));
    let code = PlainCode::new_for_device(&app.master_keys, id);
    let expires_at = now + app.config.device_authorization.lifetime;
    let record = Record::new(client, asked, (code.hash(), expires_at), None);
    // The record first: a user code must lead to something.
    decoupled::keep(app, Waiter::Device(id), &record, now).await?;
    let user_code = draw_user_code(app, id, expires_at, now).await?;
    Ok(Begun { device_code: code.encode(), user_code })
}

async fn draw_user_code(
    app: &App,
    id: FamilyId,
    expires_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<UserCode, StoreError> {
    for _ in 0..DRAWS {
        let Some(code) = UserCode::from_random(&random::bytes::<32>()) else { continue };
        let key = user_key(&app.master_keys.mac(Purpose::UserCode, code.letters().as_bytes()));
        if state::put_json_if_absent(app.state.as_ref(), &key, &id, expires_at, now).await? {
            return Ok(code);
        }
    }
    Err(StoreError::unavailable("every user code that was drawn is in use"))
}

/// The request of the device that shows `code`, while it waits for a person.
pub async fn find_waiting(
    app: &App,
    code: &UserCode,
    now: DateTime<Utc>,
) -> Result<Option<AuthorizationRequest>, StoreError> {
    let Some(id) = find_id(app, code, now).await? else { return Ok(None) };
    let waiter = Waiter::Device(id);
    match decoupled::find_waiting(app, waiter, now).await? {
        Some((record, client)) => record.into_request(app, &client, waiter).map(Some),
        None => Ok(None),
    }
}

/// An instance that still, or already, has another current master key may have drawn the code.
async fn find_id(app: &App, code: &UserCode, now: DateTime<Utc>) -> Result<Option<FamilyId>, StoreError> {
    for mac in app.master_keys.macs(Purpose::UserCode, code.letters().as_bytes()) {
        if let Some(id) = state::get_json(app.state.as_ref(), &user_key(&mac), now).await? {
            return Ok(Some(id));
        }
    }
    Ok(None)
}

/// By a MAC of the user code, which is short enough to be found by its hash: whoever may read the store cannot type what is in it.
fn user_key(mac: &[u8]) -> StateKey {
    StateKey::new(Kind::DeviceCode, format_args!("user:{}", URL_SAFE_NO_PAD.encode(mac)))
}
