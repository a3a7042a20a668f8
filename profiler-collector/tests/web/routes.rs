//! What each path answers.

use std::collections::BTreeSet;

use axum::{
    body::Body,
    http::{HeaderMap, Method, Request, StatusCode, header},
};
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

use crate::{
    addresses,
    canned::{CHECKOUT, FROM, HOSTILE, TO},
    document::{Document, Element},
    pages,
};

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    fn header(&self, name: header::HeaderName) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}

async fn ask(method: Method, address: &str) -> Answer {
    let request = Request::builder()
        .method(method)
        .uri(address)
        .body(Body::empty())
        .unwrap();
    let response = pages().oneshot(request).await.unwrap();
    Answer {
        status: response.status(),
        headers: response.headers().clone(),
        body: response
            .into_body()
            .collect()
            .await
            .unwrap()
            .to_bytes()
            .to_vec(),
    }
}

async fn get(address: &str) -> Answer {
    ask(Method::GET, address).await
}

async fn page(address: &str) -> Document {
    Document::parse(&get(address).await.text())
}

#[tokio::test]
async fn every_page_is_well_formed() {
    for (name, address) in addresses() {
        let page = page(&address).await;
        assert_eq!(page.errors, Vec::<String>::new(), "{name}");
        assert_eq!(page.all("h1").len(), 1, "{name}");
        let ids: Vec<_> = page
            .elements
            .iter()
            .filter_map(|one| one.get("id"))
            .collect();
        let unique: BTreeSet<_> = ids.iter().collect();
        assert_eq!(unique.len(), ids.len(), "{name}: {ids:?}");
    }
}

#[tokio::test]
async fn pages_can_be_read_without_seeing_them() {
    for (name, address) in addresses() {
        let page = page(&address).await;
        assert_eq!(page.all("html")[0].get("lang"), Some("en"));
        assert_eq!(page.all("a")[0].get("href"), Some("#main"), "{name}");
        for element in &page.elements {
            if let Some(id) = element.get("aria-labelledby") {
                assert!(page.with_id(id), "{name}: {element:?}");
            }
            let told = |key: &str| element.get(key).is_some_and(|text| !text.is_empty());
            match element.name.as_str() {
                "svg" => assert!(
                    told("aria-label") || element.get("aria-hidden") == Some("true"),
                    "{name}: {element:?}"
                ),
                "img" => assert!(told("alt"), "{name}: {element:?}"),
                "nav" | "form" => assert!(told("aria-label"), "{name}: {element:?}"),
                "input" | "select" => assert!(
                    element.get("type") == Some("hidden")
                        || element
                            .within
                            .last()
                            .is_some_and(|parent| parent == "label"),
                    "{name}: {element:?}"
                ),
                _ => {}
            }
        }
        assert_eq!(page.all("table").len(), page.all("caption").len(), "{name}");
    }
}

#[tokio::test]
async fn pages_have_no_script_and_no_style_of_their_own() {
    for (name, address) in addresses() {
        let page = page(&address).await;
        for element in &page.elements {
            let refused = ["script", "style", "iframe", "object", "embed", "base"];
            assert!(
                !refused.contains(&element.name.as_str()),
                "{name}: {element:?}"
            );
            for key in element.attributes() {
                assert!(
                    key != "style" && !key.starts_with("on"),
                    "{name}: {element:?}"
                );
            }
        }
    }
}

#[tokio::test]
async fn names_never_become_markup() {
    let mut seen = 0;
    for (name, address) in addresses() {
        let text = get(&address).await.text();
        assert!(!text.contains("<script"), "{name}");
        assert!(
            !text.contains('\u{202e}') && !text.contains('\x1b'),
            "{name}"
        );
        seen += text.matches("&lt;script&gt;alert(1)").count();
    }
    assert!(seen > 20, "{seen}");
    let hostile: String = form_urlencoded::byte_serialize(HOSTILE.as_bytes()).collect();
    for path in ["/", "/container", "/diff", "/oom", "/flame.svg", "/nowhere"] {
        for key in [
            "node",
            "pod",
            "process",
            "against.pod",
            "from",
            "by",
            "token",
            "x",
        ] {
            let answer = get(&format!("{path}?{key}={hostile}")).await;
            assert!(!answer.text().contains("<script>alert"), "{path} {key}");
        }
        let answer = get(&format!("{path}?{hostile}={hostile}")).await;
        assert!(!answer.text().contains("<script>alert"), "{path}");
    }
}

#[tokio::test]
async fn every_link_of_every_page_leads_somewhere() {
    let mut links = BTreeSet::new();
    for (name, address) in addresses() {
        let page = page(&address).await;
        for link in page.addresses() {
            match link.strip_prefix('#') {
                Some(id) => assert!(page.with_id(id), "{name}: {link}"),
                None => {
                    assert!(
                        link.starts_with('/') && !link.starts_with("//"),
                        "{name}: {link}"
                    );
                    links.insert(link);
                }
            }
        }
    }
    assert!(links.len() > 100, "{}", links.len());
    for link in links {
        // The form of a comparison brings its times along.
        let link = if link == "/diff" {
            format!("/diff?from={FROM}&to={TO}")
        } else {
            link
        };
        let answer = get(&link).await;
        assert_eq!(answer.status, StatusCode::OK, "{link}: {}", answer.text());
    }
}

#[tokio::test]
async fn every_answer_is_shut_in() {
    let failing = ["/nowhere", "/?by=x", "/container?process=down"].map(String::from);
    let pages = addresses().into_iter().map(|(_, address)| address);
    for address in pages.chain(failing) {
        let answer = get(&address).await;
        let policy = answer.header(header::CONTENT_SECURITY_POLICY);
        for part in [
            "default-src 'none'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
        ] {
            assert!(policy.contains(part), "{address}: {policy}");
        }
        assert!(
            !policy.contains("unsafe") && !policy.contains("script-src"),
            "{policy}"
        );
        assert_eq!(answer.header(header::X_CONTENT_TYPE_OPTIONS), "nosniff");
        assert_eq!(answer.header(header::REFERRER_POLICY), "no-referrer");
        assert_eq!(answer.header(header::CACHE_CONTROL), "no-store");
        assert_eq!(
            answer.header(header::CONTENT_TYPE),
            "text/html; charset=utf-8"
        );
        for absent in [header::SET_COOKIE, header::ACCESS_CONTROL_ALLOW_ORIGIN] {
            assert!(!answer.headers.contains_key(absent), "{address}");
        }
    }
    let svg = get("/flame.svg").await;
    assert!(
        svg.header(header::CONTENT_SECURITY_POLICY)
            .contains("sandbox")
    );
    assert_eq!(svg.header(header::X_CONTENT_TYPE_OPTIONS), "nosniff");
}

#[tokio::test]
async fn only_reading_is_allowed() {
    for method in [
        Method::POST,
        Method::PUT,
        Method::DELETE,
        Method::PATCH,
        Method::OPTIONS,
    ] {
        let answer = ask(method.clone(), "/").await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{method}");
        assert_eq!(answer.header(header::ALLOW), "GET,HEAD");
    }
    for (_, address) in addresses() {
        let (head, whole) = (ask(Method::HEAD, &address).await, get(&address).await);
        assert_eq!(head.status, whole.status);
        assert!(head.body.is_empty() && !whole.body.is_empty());
    }
}

#[tokio::test]
async fn failures_have_the_status_and_the_words_of_the_answer() {
    for (process, status, words) in [
        ("refused", 400, "at most 64 characters"),
        ("missing", 404, "no process"),
        ("busy", 429, "more than 4 queries"),
        ("down", 503, "the store is being opened"),
        ("broken", 500, "a row without its stack"),
        ("slow", 504, "took too long"),
    ] {
        for path in ["/", "/container", "/diff", "/flame.svg", "/top.json"] {
            let answer = get(&format!("{path}?process={process}")).await;
            assert_eq!(answer.status, status, "{path} {process}");
            let text = answer.text();
            assert!(text.contains(words), "{path} {process}: {text}");
            assert!(text.contains("href=\"/\""), "{path} {process}");
        }
    }
    assert_eq!(get("/nowhere").await.status, StatusCode::NOT_FOUND);
    let gone = get("/container?container=ffffffff").await;
    assert_eq!(gone.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn broken_addresses_are_refused_with_what_would_be_right() {
    let long = format!("/?node={}", "a".repeat(9_000));
    for (address, status, words) in [
        ("/?conatiner=abcd", 400, "no part of an address"),
        ("/?from=yesterday", 400, "2026-01-31T14:05:00Z"),
        ("/?span=eternity", 400, "90m, 6h or 7d"),
        ("/?page=-1", 400, "number"),
        ("/?page=4000000000", 400, "1000 containers"),
        ("/container?pid=x", 400, "number"),
        ("/container?token=x", 200, "no such page"),
        (
            "/diff?from=2026-03-10T09:00&to=2026-03-10T08:00",
            400,
            "before",
        ),
        ("/diff?by=leak", 400, "stack, function"),
        (long.as_str(), 414, "too long"),
    ] {
        let answer = get(address).await;
        assert_eq!(answer.status, status, "{address}");
        assert!(
            answer.text().contains(words),
            "{address}: {}",
            answer.text()
        );
    }
    for address in ["/?%", "/?=&&=", "/?node=%ff%fe", "/?node=%00", "/?a=b=c&&"] {
        let status = get(address).await.status;
        assert!(
            status == StatusCode::OK || status == StatusCode::BAD_REQUEST,
            "{address}"
        );
    }
}

#[tokio::test]
async fn a_moment_can_be_fixed_and_left() {
    for path in [
        "/",
        "/container?workload=search",
        "/diff?workload=search&span=1h",
    ] {
        let page = page(path).await;
        let links = page.all("a");
        let fix = links
            .iter()
            .find(|link| link.text == "Fix this moment")
            .expect(path);
        let fixed = fix.get("href").unwrap();
        assert!(
            fixed.contains("from=2") && fixed.contains("to=2"),
            "{fixed}"
        );
        assert!(!fixed.contains("span="), "{fixed}");
        let fixed = get(fixed).await;
        assert!(fixed.text().contains("Go to now"), "{path}");
        assert!(!fixed.text().contains("(now)"), "{path}");
    }
}

#[tokio::test]
async fn two_moments_are_chosen_on_the_plot() {
    let chosen = |page: &Document| -> Vec<String> {
        let stripes = page
            .elements
            .iter()
            .filter(|one| one.name == "a" && one.within.iter().any(|around| around == "svg"));
        stripes
            .map(|one| one.get("href").unwrap().to_owned())
            .collect()
    };
    let first = chosen(&page(&format!("/container?workload=search&from={FROM}&to={TO}")).await);
    assert_eq!(first.len(), 80);
    assert!(first[60].contains("mark="), "{}", first[60]);
    let second = chosen(&page(&first[60]).await);
    // Whichever is chosen first, time runs forward.
    for link in [&second[20], &second[70]] {
        assert!(
            link.starts_with("/diff?") && !link.contains("mark="),
            "{link}"
        );
        assert_eq!(get(link).await.status, StatusCode::OK);
    }
    assert!(second[60].starts_with("/container?"), "{}", second[60]);
}

#[tokio::test]
async fn restarts_are_lives_of_their_own() {
    let (_, address) = addresses().swap_remove(1);
    let page = page(&address).await;
    let lives: Vec<_> = page
        .elements
        .iter()
        .filter(|one| {
            one.name == "g"
                && one
                    .get("class")
                    .is_some_and(|class| class.starts_with("life"))
        })
        .collect();
    assert_eq!(lives.len(), 5);
    let dots = page.all("circle").len();
    assert_eq!(dots, 4);
    let lead = page
        .elements
        .iter()
        .find(|one| one.get("class") == Some("lead"))
        .unwrap();
    assert!(lead.text.contains("4 lives ended"), "{}", lead.text);
}

#[tokio::test]
async fn what_has_ended_is_shown_as_it_was_last() {
    let page = page(&format!("/container?pod=shop/search-9&from={FROM}&to={TO}")).await;
    let lead = page
        .elements
        .iter()
        .find(|one| one.get("class") == Some("lead"))
        .unwrap();
    assert!(
        lead.text.contains("as it was at 2026-03-10 11:00:00Z"),
        "{}",
        lead.text
    );
    let picture = page.all("img")[0].get("src").unwrap();
    assert!(picture.contains("to=2026-03-10T11%3A00%3A00Z"), "{picture}");
    let processes = page
        .all("tr")
        .into_iter()
        .filter(|row| row.text.contains("node (4711)"));
    assert!(processes.count() > 0);
}

#[tokio::test]
async fn what_is_there_at_the_same_time_is_added_up() {
    let page = page(&format!("/container?workload=search&from={FROM}&to={TO}")).await;
    let lead = page
        .elements
        .iter()
        .find(|one| one.get("class") == Some("lead"))
        .unwrap();
    assert!(
        lead.text.starts_with("16 together: 2.0 GiB live"),
        "{}",
        lead.text
    );
    let areas = page
        .elements
        .iter()
        .filter(|one| one.get("class") == Some("area"));
    assert_eq!(areas.count(), 0);
}

#[tokio::test]
async fn two_targets_are_compared_at_one_moment() {
    let page = page("/diff?pod=shop/cart-4&against.pod=shop/cart-8").await;
    let links = page.all("a");
    let fix = links
        .iter()
        .find(|link| link.text == "Fix this moment")
        .unwrap();
    let fixed = fix.get("href").unwrap();
    assert!(
        fixed.contains("&to=") && !fixed.contains("from="),
        "{fixed}"
    );
    assert!(
        page.all("svg")
            .iter()
            .all(|svg| svg.get("class") != Some("plot"))
    );
    let svg = get("/diff.svg?pod=shop/cart-4&against.pod=shop/cart-8")
        .await
        .text();
    assert!(svg.contains("more than pod=shop/cart-8 at "), "{svg}");
}

#[tokio::test]
async fn every_page_says_how_far_it_can_be_trusted() {
    for (name, address) in addresses() {
        let text = get(&address).await.text();
        // Kills are listed one by one: nothing is added up.
        if name == "not-found" || name.starts_with("oom") {
            continue;
        }
        for part in [
            "How far this can be trusted",
            "12 event_ring_full",
            "7.8%",
            "As of ",
        ] {
            assert!(text.contains(part), "{name}: {part}");
        }
        let lower = text.to_lowercase();
        assert!(
            !lower.contains("culprit") && !lower.contains("leak site"),
            "{name}"
        );
    }
}

#[tokio::test]
async fn the_overview_begins_with_the_worst_verdicts() {
    let time = format!("from={FROM}&to={TO}");
    let text = get(&format!("/?{time}")).await.text();
    assert!(text.contains("the worst first; 50 of 69"), "{text}");
    let first = page(&format!("/?{time}")).await;
    let of = |title: &str| {
        let cells = first.all("td").into_iter();
        let cell = cells
            .into_iter()
            .find(|cell| cell.get("data-title") == Some(title));
        cell.map_or_else(String::new, |cell| cell.text.trim().to_owned())
    };
    assert_eq!(of("Verdict"), "leak masked by restarts");
    assert_eq!(of("Limit"), "512.0 MiB");
    assert_eq!(of("Time to OOM"), "1h30m");
    let none = get(&format!("/?{time}&container={:064x}", 69)).await.text();
    assert!(none.contains("No verdicts yet") && none.contains("before 0.2"));
}

#[tokio::test]
async fn a_container_shows_its_verdict_with_all_it_rests_on() {
    let container = format!("container={CHECKOUT}&node=node-a&from={FROM}&to={TO}");
    let text = get(&format!("/container?{container}")).await.text();
    for part in [
        "leak masked by restarts",
        "Each of its lives grows until it is ended.",
        "1h30m (1h00m or more, perhaps never)",
        "what trend means",
        "not judged",
        "tier C: who demanded memory, not who retains it",
        "a cache that still fills",
        "3 restarts and 2 OOM kills were seen",
        "killed for want of memory",
        "Broken line: the limit.",
        ">OOM kill</text>",
        ">restart</text>",
        "2 OOM kills in this time.",
    ] {
        assert!(text.contains(part), "{part}");
    }
    let without = format!("/container?container={:064x}&from={FROM}&to={TO}", 69);
    let text = get(&without).await.text();
    assert!(text.contains("No verdicts yet") && text.contains("before 0.2 don't send them"));
}

#[tokio::test]
async fn kills_are_told_with_the_growth_before_them() {
    let text = get(&format!("/oom?from={FROM}&to={TO}")).await.text();
    assert!(text.contains("2 processes were</b> killed"), "{text}");
    for part in [
        "a limit was reached",
        "Growth over the 10m00s before",
        "5 of 7 rows",
        "growing",
        "490.0 MiB of 512.0 MiB",
    ] {
        assert!(text.contains(part), "{part}");
    }
    let all = page(&format!("/oom?container={CHECKOUT}")).await;
    let older = all.all("a").into_iter().find(|link| link.text == "Older");
    let older = older
        .expect("there are more")
        .get("href")
        .unwrap()
        .to_owned();
    let next = get(&older).await;
    assert_eq!(next.status, StatusCode::OK);
    let none = get(&format!("/oom?pod=shop/cart-4&from={FROM}&to={TO}"))
        .await
        .text();
    assert!(none.contains("No process was killed for want of memory."));
}

#[tokio::test]
async fn the_overview_is_paged_and_narrowed() {
    let time = format!("from={FROM}&to={TO}");
    let rows = |page: &Document| {
        let cells = page.all("td").into_iter();
        let own = |cell: &&Element| cell.get("data-title") == Some("Live over time");
        cells.filter(own).count()
    };
    let first = page(&format!("/?{time}")).await;
    assert_eq!(rows(&first), 50);
    let next = first
        .all("a")
        .into_iter()
        .find(|link| link.text == "Next")
        .unwrap();
    assert_eq!(rows(&page(next.get("href").unwrap()).await), 20);
    let narrowed = page(&format!("/?{time}&workload=checkout&node=&image=")).await;
    assert_eq!(rows(&narrowed), 1);
    let kept = narrowed.all("input");
    let value = |name: &str| {
        let input = kept.iter().find(|one| one.get("name") == Some(name));
        input.and_then(|one| one.get("value"))
    };
    assert_eq!(value("workload"), Some("checkout"));
    assert_eq!(value("from"), Some(FROM));
}

#[tokio::test]
async fn downloads_are_what_they_say() {
    let query = format!("workload=checkout&from={FROM}&to={TO}");
    let download = async |path: &str| {
        let answer = get(&format!("{path}?{query}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        answer
    };
    let pprof = download("/profile.pb.gz").await;
    assert_eq!(pprof.body[..2], [0x1f, 0x8b]);
    assert!(
        pprof
            .header(header::CONTENT_DISPOSITION)
            .starts_with("attachment")
    );
    let folded = download("/stacks.folded").await.text();
    assert!(folded.contains("node;main;"), "{folded}");
    let both = download("/diff.folded").await.text();
    let figures = both.lines().next().unwrap().rsplit(' ').take(2);
    assert!(
        figures
            .into_iter()
            .all(|figure| figure.parse::<u64>().is_ok()),
        "{both}"
    );
    for path in ["/flame.svg", "/diff.svg"] {
        let svg = download(path).await;
        assert_eq!(svg.header(header::CONTENT_TYPE), "image/svg+xml");
        let text = svg.text();
        assert!(
            text.contains("</svg>") && !text.contains("<script"),
            "{path}"
        );
        assert!(
            text.contains("tier C") && text.contains("&lt;script&gt;"),
            "{path}"
        );
    }
    for (path, key) in [
        ("/top.json", "rows"),
        ("/diff.json", "rows"),
        ("/series.json", "series"),
        ("/connections.json", "connections"),
        ("/nodes.json", "nodes"),
        ("/status.json", "version"),
    ] {
        let json: serde_json::Value = serde_json::from_slice(&download(path).await.body).unwrap();
        assert!(json.get(key).is_some(), "{path}: {json}");
    }
}
