//! The stylesheet, the mark and the script, under addresses that change with their content.

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};

use crate::http::pages::asset::Asset;

/// What is at an address never changes, so a browser need never ask again (RFC 8246).
const FOREVER: &str = "public, max-age=31536000, immutable";

/// An asset.
pub async fn get(Path(file): Path<String>) -> Response {
    match Asset::find(&file) {
        Some(asset) => ([(CONTENT_TYPE, asset.content_type), (CACHE_CONTROL, FOREVER)], asset.content).into_response(),
        // A page of another version may ask an instance that does not have its style yet: nobody may keep that answer.
        None => (StatusCode::NOT_FOUND, [(CACHE_CONTROL, "no-store")]).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::pages::asset::{PREFIX, STYLE};

    #[tokio::test]
    async fn an_asset_is_kept_for_good_and_a_missing_one_not_at_all() {
        let file = STYLE.to_string().strip_prefix(PREFIX).unwrap().to_owned();
        let found = get(Path(file)).await;
        assert_eq!(found.status(), StatusCode::OK);
        assert_eq!(found.headers()[CACHE_CONTROL], FOREVER);
        assert_eq!(found.headers()[CONTENT_TYPE], "text/css; charset=utf-8");
        let missing = get(Path("../Cargo.toml".into())).await;
        assert_eq!(missing.status(), StatusCode::NOT_FOUND);
        assert_eq!(missing.headers()[CACHE_CONTROL], "no-store");
    }
}
