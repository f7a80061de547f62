//! The pages in a real Chromium, with its scripts, policies, history and keyboard.

mod accessibility;
mod ciba;
mod command;
mod consent;
mod console;
mod console_people;
mod demo;
mod device;
mod driver;
mod every_page;
mod form_action;
mod frontend;
mod history;
mod keyboard;
mod logo;
mod logout;
mod relying_party;
mod response_mode;
mod sign_in;
mod window;

use driver::Chromium;
use relying_party::RelyingParty;
