//! What is at the `sector_identifier_uri` of a client (OpenID Connect Dynamic Registration section 5), looked at whenever it is
//! registered and whenever it or a redirect URI changes. Nobody else can put a client into a sector than whoever answers at its
//! host.

use crate::app::App;
use crate::config::OutboundPurpose;
use crate::model::client::ClientSettings;
use crate::protocol::client_metadata::Violation;
use crate::protocol::sector::check_document;

/// The address to look at when a client registers `settings`, and had `before`. Other changes do not ask again: a client can be
/// disabled while its host is away.
pub fn to_look_at<'a>(settings: &'a ClientSettings, before: Option<&ClientSettings>) -> Option<&'a str> {
    let uri = settings.sector_identifier_uri.as_deref()?;
    let is_unchanged = before.is_some_and(|before| {
        before.sector_identifier_uri.as_deref() == Some(uri)
            && settings.redirect_uris.iter().all(|redirect_uri| before.redirect_uris.contains(redirect_uri))
    });
    (!is_unchanged).then_some(uri)
}

/// What is wrong with the sector of a client that registers `settings`, and had `before`.
pub async fn violation(app: &App, settings: &ClientSettings, before: Option<&ClientSettings>) -> Option<Violation> {
    let uri = to_look_at(settings, before)?;
    let what = match app.fetch.get_bytes(OutboundPurpose::SectorIdentifier, uri, "application/json").await {
        Ok((_, document)) => check_document(&document, &settings.redirect_uris).err()?,
        Err(error) => {
            tracing::info!(%error, "the sector_identifier_uri of a client could not be fetched");
            "it could not be fetched"
        }
    };
    Some(("/sector_identifier_uri".to_owned(), what.to_owned()))
}
