//! What a client calls people (OpenID Connect Core section 8, Dynamic Registration section 5).

use super::Violation;
use crate::model::client::{ApplicationType, ClientSettings, SubjectType};
use crate::protocol::redirect_uri;
use crate::protocol::sector::{https_host, own_host, sector};

const SECTOR: &str = "/sector_identifier_uri";

/// What of `settings` leaves a client without a sector that needs one.
pub(super) fn sector_violation(settings: &ClientSettings) -> Option<Violation> {
    if let Some(uri) = &settings.sector_identifier_uri {
        let is_address = redirect_uri::validate_for_registration(uri, ApplicationType::Web).is_ok();
        let what = "it must be an absolute https URI without a fragment";
        return (!is_address || https_host(uri).is_none()).then(|| (SECTOR.to_owned(), what.to_owned()));
    }
    if settings.subject_type == SubjectType::Public || sector(settings).is_some() {
        return None;
    }
    let what = if settings.redirect_uris.iter().all(|uri| own_host(uri).is_some()) && settings.redirect_uris.len() > 1 {
        "pairwise subjects need it where the redirect URIs are on several hosts"
    } else {
        "pairwise subjects need it where not every redirect URI is an https address of a host of its own"
    };
    Some((SECTOR.to_owned(), what.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(change: impl FnOnce(&mut ClientSettings)) -> Option<String> {
        let mut settings = ClientSettings {
            redirect_uris: vec!["https://a.example/callback".into()],
            subject_type: SubjectType::Pairwise,
            ..ClientSettings::default()
        };
        change(&mut settings);
        sector_violation(&settings).map(|(pointer, what)| format!("{pointer}: {what}"))
    }

    #[test]
    fn pairwise_subjects_need_a_sector() {
        let several = "/sector_identifier_uri: pairwise subjects need it where the redirect URIs are on several hosts";
        let none = "/sector_identifier_uri: pairwise subjects need it where not every redirect URI is an https address of a \
                    host of its own";
        assert_eq!(found(|_| {}), None);
        assert_eq!(found(|s| s.redirect_uris.push("https://b.example/".into())).unwrap(), several);
        assert_eq!(found(|s| s.redirect_uris.push("http://127.0.0.1/".into())).unwrap(), none);
        assert_eq!(found(|s| s.redirect_uris.clear()).unwrap(), none);
        let public = |s: &mut ClientSettings| {
            (s.subject_type, s.redirect_uris) = (SubjectType::Public, Vec::new());
        };
        assert_eq!(found(public), None);
        assert_eq!(found(|s| s.sector_identifier_uri = Some("https://b.example/uris".into())), None);
    }

    #[test]
    fn registration_section_2_the_sector_identifier_uri_is_https() {
        for uri in ["http://b.example/uris", "https://b.example/#a", "b.example", "https://a@b.example/"] {
            let refused = found(|s| s.sector_identifier_uri = Some(uri.into()));
            assert!(refused.is_some_and(|what| what.contains("an absolute https URI")), "{uri}");
        }
    }
}
