//! The pages people see, as pure functions from values to HTML; the templates lie beside them.
//!
//! A page is a struct of plain values; [`html`] writes it out. No page needs a script, loads anything from elsewhere, or
//! holds an inline style or script, so that the content security policy can forbid them all.

// The applications a person asks to register.
pub mod applications;
// The stylesheet, the mark and the script.
pub mod asset;
// Every sentence, in every language.
pub mod catalogue;
// Consent, and the list of consents.
pub mod consent;
// Connecting a device.
pub mod device;
// Something did not work.
pub mod error;
// An authorization response by POST.
pub mod form_post;
// Between a form and another site.
pub mod hand_over;
// Which language a page is in.
pub mod locale;
// Signing in.
pub mod login;
// Signing out.
pub mod logout;
// Choosing a password.
pub mod password;
// The reference of the admin API.
pub mod reference;
// What waits for a person's decision.
pub mod requests;
// Choosing an account.
pub mod select_account;
// What pages show of the server, a client and a person.
pub mod view;

#[cfg(test)]
mod tests;

use askama::Template;

/// The page as HTML.
pub fn html(page: &impl Template) -> String {
    page.render().unwrap_or_else(|error| {
        // Writing into a String cannot fail, and no template calls anything that can.
        tracing::error!(%error, "a page could not be written");
        String::new()
    })
}
