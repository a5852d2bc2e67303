use super::*;

/// Calls `fetch_media` for at most ten bytes with the API answering like this. Returns its result and the requests made.
async fn fetched(answer: String) -> (Result<Media, Failure>, Vec<String>) {
    let twilio = Listener::start(move |_, _| Act::Raw(answer.clone())).await;
    let media = client(&twilio.url).fetch_media("/Media/ME0", 10).await;
    (media, twilio.lines())
}

fn code(result: Result<Media, Failure>) -> String {
    match result {
        Err(Failure::Refused { code, .. }) => code,
        other => format!("{other:?}"),
    }
}

fn sent_on(location: &str) -> String {
    format!("HTTP/1.1 307 Temporary Redirect\r\nlocation: {location}\r\nconnection: close\r\n\r\n")
}

#[tokio::test]
async fn a_file_is_fetched_from_where_the_api_sends_us_on_without_credentials() {
    let files = Listener::start(|_, _| {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: image/png\r\nconnection: close";
        Act::Raw(format!("{head}\r\n\r\npicture"))
    })
    .await;
    let with_login = files.url.replace("http://", "http://somebody:secret@");
    for location in [&files.url, &with_login] {
        let (media, asked) = fetched(sent_on(&format!("{location}/p.png?Key=1"))).await;
        let media = media.unwrap();
        assert_eq!(
            (media.content_type.as_str(), media.bytes.as_slice()),
            ("image/png", b"picture".as_slice())
        );
        assert_eq!(
            asked,
            [format!("GET /2010-04-01/Accounts/{ACCOUNT}/Media/ME0")]
        );
    }
    for request in files.requests() {
        assert!(request.starts_with("GET /p.png?Key=1 "), "{request}");
        assert!(
            !request.to_lowercase().contains("authorization"),
            "{request}"
        );
    }
}

#[tokio::test]
async fn nobody_is_sent_on_into_a_private_network() {
    for location in [
        "http://files.example.com/p.png",
        "https://10.0.0.1/p.png",
        "https://169.254.169.254/latest/meta-data/",
        "https://[fd00:ec2::254]/",
        "https://[::ffff:10.0.0.1]/",
        "http://10.0.0.1/p.png",
        "file:///etc/passwd",
        "https://",
    ] {
        let (media, asked) = fetched(sent_on(location)).await;
        assert_eq!(code(media), "bad_redirect", "{location}");
        assert_eq!(asked.len(), 1, "{location}");
    }
    // Nor, from a Twilio that is elsewhere, to this machine; also not by a name.
    for location in ["https://127.0.0.1/", "https://localhost:1/"] {
        let elsewhere = Client::new(Settings {
            api_url: "https://api.example.com".to_owned(),
            ..(*client("http://127.0.0.1:1").settings).clone()
        });
        let api = Url::parse("https://api.example.com/").unwrap();
        let request = elsewhere
            .unwrap()
            .without_credentials(&api, Url::parse(location).unwrap());
        let refused = match request {
            Ok(request) => media::fetch(request, 10).await.map(drop),
            Err(failure) => Err(failure),
        };
        assert!(
            matches!(&refused, Err(Failure::Refused { code, .. }) if code == "bad_redirect"),
            "{location}: {refused:?}"
        );
    }
}

#[tokio::test]
async fn a_file_is_not_read_beyond_what_is_wanted() {
    for (head, body, expected) in [
        ("content-length: 11", "12345678901", "too_large"),
        ("connection: close", "12345678901", "too_large"),
        ("content-length: 9999999999999", "", "too_large"),
    ] {
        let (media, _) = fetched(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n{body}")).await;
        assert_eq!(code(media), expected, "{head}");
    }
    let (media, _) =
        fetched("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n1234567890".to_owned()).await;
    assert_eq!(media.unwrap().bytes.len(), 10);
    let (cut, _) = fetched("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n12".to_owned()).await;
    assert!(matches!(cut, Err(Failure::Unknown { .. })), "{cut:?}");
}
