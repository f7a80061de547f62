//! How an authorization response travels (RFC 6749 section 4.1.2, OAuth 2.0 Form Post Response Mode section 2), and how
//! parameters are put onto any URI that a client registered.

use super::form;
use super::response_mode::{Place, ResponseMode};

/// What the browser has to do.
#[derive(Clone, PartialEq, Eq)]
pub enum Delivery {
    /// Go to this URI.
    Redirect(String),
    /// POST these fields to this URI.
    FormPost {
        /// The redirect URI, unchanged.
        action: String,
        /// Names and values, not yet escaped for HTML.
        fields: Vec<(&'static str, String)>,
    },
}

/// Puts the parameters of a response where `mode` wants them.
pub fn deliver(redirect_uri: &str, mode: ResponseMode, parameters: Vec<(&'static str, String)>) -> Delivery {
    let pairs = parameters.iter().map(|(name, value)| (*name, value.as_str()));
    match mode.place() {
        Place::Query => Delivery::Redirect(append_query(redirect_uri, pairs)),
        Place::Fragment => Delivery::Redirect(append_fragment(redirect_uri, pairs)),
        Place::Form => Delivery::FormPost { action: redirect_uri.to_owned(), fields: parameters },
    }
}

/// A URI without a fragment, with parameters after the query it has. RFC 6749 section 3.1.2: that query is kept, byte for
/// byte.
pub fn append_query<'a>(uri: &str, parameters: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let added = form::encode(parameters);
    let separator = match uri.split_once('?') {
        _ if added.is_empty() => "",
        None => "?",
        Some((_, query)) if query.is_empty() || query.ends_with('&') => "",
        Some(_) => "&",
    };
    format!("{uri}{separator}{added}")
}

/// A URI without a fragment, with parameters as its fragment.
pub fn append_fragment<'a>(uri: &str, parameters: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    format!("{uri}#{}", form::encode(parameters))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use url::Url;

    use super::*;
    use crate::protocol::form::Form;

    fn delivered(uri: &str, mode: ResponseMode) -> Delivery {
        deliver(uri, mode, vec![("code", "SplxlOBeZQQYbYS6WxSbIA".into()), ("state", "a b&c=d\"\u{e9}".into())])
    }

    fn location(delivery: Delivery) -> String {
        match delivery {
            Delivery::Redirect(location) => location,
            Delivery::FormPost { .. } => panic!("not a redirect"),
        }
    }

    #[test]
    fn query_parameters_are_appended() {
        let location = location(delivered("https://client.example.com/cb", ResponseMode::Query));
        assert_eq!(location, "https://client.example.com/cb?code=SplxlOBeZQQYbYS6WxSbIA&state=a%20b%26c%3Dd%22%C3%A9");
    }

    #[test]
    fn the_query_of_the_redirect_uri_must_be_retained() {
        let table = [
            ("https://c.example/cb?dummy1=lorem&dummy2=ipsum", "https://c.example/cb?dummy1=lorem&dummy2=ipsum&a=b"),
            ("https://c.example/cb?", "https://c.example/cb?a=b"),
            ("https://c.example/cb?x=%7e&", "https://c.example/cb?x=%7e&a=b"),
            ("https://c.example?x=?", "https://c.example?x=?&a=b"),
            ("com.example.app:/cb", "com.example.app:/cb?a=b"),
        ];
        for (uri, expected) in table {
            assert_eq!(append_query(uri, [("a", "b")]), expected);
            assert_eq!(append_query(uri, []), uri);
        }
    }

    #[test]
    fn fragment_parameters_leave_the_query_alone() {
        let location = location(delivered("https://c.example/cb?x=y", ResponseMode::Fragment));
        assert_eq!(location, "https://c.example/cb?x=y#code=SplxlOBeZQQYbYS6WxSbIA&state=a%20b%26c%3Dd%22%C3%A9");
    }

    #[test]
    fn form_post_leaves_the_redirect_uri_alone() {
        let Delivery::FormPost { action, fields } = delivered("https://c.example/cb?x=y", ResponseMode::FormPost)
        else {
            panic!("not a form");
        };
        assert_eq!(action, "https://c.example/cb?x=y");
        assert_eq!(fields[1], ("state", "a b&c=d\"\u{e9}".into()));
    }

    proptest! {
        #[test]
        fn every_mode_carries_the_state_unchanged(state in "[^\\x00]{1,40}") {
            let parameters = vec![("state", state.clone()), ("iss", "https://op.example".into())];
            for uri in ["https://c.example/cb", "https://c.example/cb?x=y"] {
                let query = location(deliver(uri, ResponseMode::Query, parameters.clone()));
                prop_assert!(query.is_ascii() && query.starts_with(uri));
                let url = Url::parse(&query).unwrap();
                let read = Form::parse(url.query().unwrap().as_bytes()).unwrap();
                prop_assert_eq!(read.one("state").unwrap(), Some(state.as_str()));
                prop_assert_eq!(url.query_pairs().find(|(name, _)| name == "state").unwrap().1, state.as_str());
                prop_assert_eq!(url.fragment(), None);

                let fragment = location(deliver(uri, ResponseMode::Fragment, parameters.clone()));
                let url = Url::parse(&fragment).unwrap();
                let read = Form::parse(url.fragment().unwrap().as_bytes()).unwrap();
                prop_assert_eq!(read.one("state").unwrap(), Some(state.as_str()));
            }
        }
    }
}
