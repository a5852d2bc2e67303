//! The files of the page, embedded in the program.

const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

macro_rules! page {
    ($name:literal) => {
        include_str!(concat!("page/", $name))
    };
}

/// Path, content type and content of each file.
pub(super) const ALL: [(&str, &str, &str); 16] = [
    ("/", "text/html; charset=utf-8", page!("index.html")),
    ("/base.css", STYLE, page!("base.css")),
    ("/phone.css", STYLE, page!("phone.css")),
    ("/slack.css", STYLE, page!("slack.css")),
    ("/service.css", STYLE, page!("service.css")),
    ("/page.js", SCRIPT, page!("page.js")),
    ("/dom.js", SCRIPT, page!("dom.js")),
    ("/phone.js", SCRIPT, page!("phone.js")),
    ("/desk.js", SCRIPT, page!("desk.js")),
    ("/slack.js", SCRIPT, page!("slack.js")),
    ("/message.js", SCRIPT, page!("message.js")),
    ("/blocks.js", SCRIPT, page!("blocks.js")),
    ("/mrkdwn.js", SCRIPT, page!("mrkdwn.js")),
    ("/modal.js", SCRIPT, page!("modal.js")),
    ("/service.js", SCRIPT, page!("service.js")),
    ("/guide.js", SCRIPT, page!("guide.js")),
];
