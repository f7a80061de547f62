//! Resource indicators (RFC 8707 section 2): absolute URIs without a fragment.

use super::error::OAuthError;
use super::uri::AbsoluteUri;
use crate::model::id::ResourceUri;

/// A request that names more resources is refused.
pub const MAX_RESOURCES: usize = 16;

/// Reads one resource indicator.
pub fn parse(uri: &str) -> Result<ResourceUri, OAuthError> {
    match AbsoluteUri::parse(uri) {
        Some(_) => Ok(ResourceUri::new(uri)),
        None => Err(OAuthError::invalid_target("a resource must be an absolute URI without a fragment")),
    }
}

/// Reads every `resource` of a request, keeping the order asked and the first of equal ones.
pub fn parse_all<'a>(uris: impl IntoIterator<Item = &'a str>) -> Result<Vec<ResourceUri>, OAuthError> {
    let mut resources = Vec::new();
    for uri in uris {
        let resource = parse(uri)?;
        if resources.contains(&resource) {
            continue;
        }
        if resources.len() == MAX_RESOURCES {
            return Err(OAuthError::invalid_target("too many resources"));
        }
        resources.push(resource);
    }
    Ok(resources)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::protocol::error::ErrorCode;

    #[test]
    fn the_examples_of_rfc_8707_are_read() {
        for uri in ["https://api.example.com/app/", "https://cal.example.com/", "urn:example:cooperation-context"] {
            assert_eq!(parse(uri).unwrap().as_str(), uri);
        }
    }

    #[test]
    fn a_fragment_is_refused() {
        assert_eq!(parse("https://api.example.com/#top").unwrap_err().code(), ErrorCode::InvalidTarget);
    }

    #[test]
    fn a_relative_reference_is_refused() {
        for uri in ["/app", "api.example.com", "//api.example.com/", ""] {
            assert_eq!(parse(uri).unwrap_err().code(), ErrorCode::InvalidTarget, "{uri}");
        }
    }

    #[test]
    fn resources_keep_their_order_and_lose_their_repeats() {
        let resources = parse_all(["urn:b", "urn:a", "urn:b"]).unwrap();
        assert_eq!(resources, [ResourceUri::new("urn:b"), ResourceUri::new("urn:a")]);
    }

    #[test]
    fn the_number_of_resources_is_bounded() {
        let uris: Vec<String> = (0..=MAX_RESOURCES).map(|i| format!("urn:example:{i}")).collect();
        let error = parse_all(uris.iter().map(String::as_str)).unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidTarget);
    }

    proptest! {
        #[test]
        fn never_panics_and_never_changes_a_byte(uri in any::<String>()) {
            if let Ok(resource) = parse(&uri) {
                prop_assert_eq!(resource.as_str(), uri);
            }
        }
    }
}
