//! The demo's page in a real browser, as somebody who sits before it uses it.

use crate::browser::{ENTER, Page, Screen};
use crate::demo::Demo;
use crate::desk::gate;

/// A demo and its page, or an end to the story where there is no browser.
macro_rules! page {
    ($screen:expr) => {{
        let demo = Demo::start_in(gate::turn("busy").await).await;
        match Page::open(&demo, $screen).await {
            Some(page) => (demo, page),
            None => return,
        }
    }};
}

impl Page {
    async fn text_as_caller(&self, words: &str) {
        self.type_in("#text-body", &format!("{words}{ENTER}")).await;
    }

    async fn reply(&self, words: &str) {
        self.type_in("#reply-body", &format!("{words}{ENTER}"))
            .await;
    }

    async fn act_as(&self, name: &str) {
        let choose = format!(
            "const who = document.getElementById('who');
             who.value = [...who.options].find((one) => one.text === '{name}').value;
             who.dispatchEvent(new Event('change'))"
        );
        self.run(&choose).await;
    }

    async fn expect_nothing_lost(&self) {
        for count in ["0 on the way", "0 lost", "0 twice"] {
            self.expect("#tally .count", count).await;
        }
    }

    async fn expect_phone(&self, name: &str, is: &str) {
        let phone = format!("document.querySelector('.telephone.{is}[data-name={name}]')");
        self.wait(&format!("{name}'s phone, {is}"), &phone).await;
    }
}

#[tokio::test]
async fn a_text_becomes_a_thread_and_its_answer_a_bubble_with_a_mark() {
    let (demo, page) = page!(Screen::Desktop);
    page.text_as_caller("Is the boat tour on? <b>We</b> are 4")
        .await;
    page.expect("#messages .message", "<b>We</b> are 4").await;
    page.expect("#thread .message", "(619) 555-0142").await;
    page.reply("It is, at *5 pm* :sailboat:").await;
    page.type_in("#reply-body", "and bring").await;
    page.expect("#texts .in", "It is, at 5 pm ⛵").await;
    page.expect("#thread .reactions", "✅").await;
    page.expect("#tally .count", "1 reply written, 1 texted")
        .await;
    page.expect_nothing_lost().await;
    page.expect("#audit", "A text came in and was kept").await;
    // Everything has changed around it.
    let typed = "document.activeElement.id === 'reply-body' && document.activeElement.value === 'and bring'";
    page.wait("what was being typed", typed).await;
    page.close().await;
    demo.expect_end("TERM").await;
}

#[tokio::test]
async fn pictures_go_both_ways() {
    let (demo, page) = page!(Screen::Desktop);
    let picture = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/picture.png");
    let shows = |place: &str| format!("document.querySelector('{place} img')?.naturalWidth === 24");
    page.type_in("#picture", picture).await;
    page.text_as_caller("Is this the boat?").await;
    page.wait("the picture on the phone", &shows("#texts .out"))
        .await;
    page.wait("the picture in the thread", &shows("#thread"))
        .await;
    page.type_in("#reply-picture", picture).await;
    page.reply("It is this one").await;
    page.expect("#texts .in", "It is this one").await;
    page.wait("the dispatcher's picture", &shows("#texts .in"))
        .await;
    page.close().await;
    demo.expect_end("TERM").await;
}

#[tokio::test]
async fn a_call_that_one_declines_another_takes_with_a_key() {
    let (demo, page) = page!(Screen::Desktop);
    page.click("#call").await;
    page.expect_phone("Sergio", "ringing").await;
    page.press(".telephone.ringing", "Decline").await;
    page.expect_phone("Backup", "ringing").await;
    page.press(".telephone.ringing", "Pick up").await;
    page.expect(".telephone.answered .hears", "press 1").await;
    page.press(".telephone.answered", "Press 1").await;
    page.expect_phone("Backup", "talking").await;
    page.expect("#calling", "talking to Backup").await;
    page.press(".telephone.talking", "Hang up").await;
    page.expect("#texts .chip", "talked to Backup").await;
    page.expect("#audit", "Somebody took the call").await;
    page.close().await;
    demo.expect_end("TERM").await;
}

#[tokio::test]
async fn who_is_away_is_not_rung_and_a_caller_nobody_reaches_leaves_a_message() {
    let (demo, page) = page!(Screen::Desktop);
    page.act_as("Sergio").await;
    page.type_in("#say-body", &format!("/qdn away 30m lunch{ENTER}"))
        .await;
    page.expect("#messages .message", "(lunch)").await;
    page.expect("#would-ring", "Sergio: left out").await;
    page.click("#call").await;
    page.expect_phone("Backup", "ringing").await;
    page.expect_phone("Sergio", "idle").await;
    page.press(".telephone.ringing", "Let the mailbox take it")
        .await;
    page.type_in("#words", "We are eight, is there room?").await;
    page.press("#calling", "Leave it").await;
    page.expect("#texts .chip", "left a message").await;
    page.expect("#thread .message", "We are eight, is there room?")
        .await;
    page.wait("its sound", "document.querySelector('#thread audio')")
        .await;
    page.close().await;
    demo.expect_end("TERM").await;
}

#[tokio::test]
async fn a_relay_killed_on_the_page_catches_up_with_what_was_written_meanwhile() {
    let (demo, page) = page!(Screen::Desktop);
    page.text_as_caller("Hello?").await;
    page.expect("#thread .message", "Hello?").await;
    page.click("#relay-kill").await;
    page.expect("#gone", "The relay was killed").await;
    page.text_as_caller("Is anybody there?").await;
    page.reply("One moment please").await;
    page.expect("#tally .count", "2 on the way").await;
    page.click("#gone-start").await;
    page.expect("#standing", "The relay is running").await;
    page.expect("#thread .message", "Is anybody there?").await;
    page.expect("#texts .in", "One moment please").await;
    page.expect("#tally .count", "2 texts came in, 2 shown")
        .await;
    page.expect_nothing_lost().await;
    page.close().await;
    demo.expect_end("TERM").await;
}

#[tokio::test]
async fn somebody_new_is_led_through_a_text_an_answer_and_a_call() {
    let (demo, page) = page!(Screen::Desktop);
    let step = |number: u32| format!("#steps li:nth-child({number}).now");
    page.press(&step(1), "Fill in a text").await;
    page.type_in("#text-body", &ENTER.to_string()).await;
    page.press(&step(2), "Fill in a reply").await;
    page.type_in("#reply-body", &ENTER.to_string()).await;
    page.press(&step(3), "Call now").await;
    page.press(".telephone.ringing", "Pick up").await;
    page.press(".telephone.answered", "Press 1").await;
    page.press(".telephone.talking", "Hang up").await;
    page.expect("#guide-title", "That is all there is to it")
        .await;
    page.click("#guide-close").await;
    page.wait("the guide's end", "document.getElementById('guide').hidden")
        .await;
    page.close().await;
    demo.expect_end("TERM").await;
}

#[tokio::test]
async fn nothing_is_wider_than_a_phone() {
    let (demo, page) = page!(Screen::Phone);
    let fits = "document.documentElement.scrollWidth <= 390 && innerWidth === 390";
    page.wait("a page that fits", fits).await;
    page.text_as_caller(
        "https://example.com/averylongaddressthatcannotbebrokenanywhereatallbutmustfit",
    )
    .await;
    page.press("#messages", "Reply in thread").await;
    page.reply("Thanks").await;
    page.expect("#texts .in", "Thanks").await;
    page.click("#call").await;
    page.expect_phone("Sergio", "ringing").await;
    page.wait("a page that still fits", fits).await;
    page.close().await;
    demo.expect_end("TERM").await;
}
