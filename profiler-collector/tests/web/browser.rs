//! The pages in headless Chromium: nothing is complained about, nothing is fetched from elsewhere,
//! nothing sticks out; with screenshots to be looked at.

use std::{fs, path::PathBuf};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::{addresses, devtools::Browser, pages};

/// The pages on a port of loopback for as long as the process runs.
fn serve() -> String {
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0))
                .await
                .unwrap();
            tell.send(format!("http://{}", listener.local_addr().unwrap()))
                .unwrap();
            axum::serve(listener, pages()).await.unwrap();
        });
    });
    told.recv().unwrap()
}

fn browser() -> Option<(Browser, tempfile::TempDir)> {
    let profile = tempfile::tempdir().unwrap();
    match Browser::start(profile.path()) {
        Ok(browser) => Some((browser, profile)),
        Err(reason) => {
            eprintln!("skipped: {reason}");
            None
        }
    }
}

/// How a page is looked at.
#[derive(Clone, Copy)]
struct Look {
    name: &'static str,
    width: u32,
    dark: bool,
    scripts: bool,
}

const LOOKS: [Look; 4] = [
    Look {
        name: "light",
        width: 1280,
        dark: false,
        scripts: true,
    },
    Look {
        name: "dark",
        width: 1280,
        dark: true,
        scripts: true,
    },
    Look {
        name: "narrow",
        width: 400,
        dark: false,
        scripts: true,
    },
    Look {
        name: "no-scripts",
        width: 1280,
        dark: false,
        scripts: false,
    },
];

impl Look {
    fn put_on(self, browser: &mut Browser) {
        let metrics = json!({
            "width": self.width, "height": 900, "deviceScaleFactor": 1, "mobile": false,
        });
        browser.order("Emulation.setDeviceMetricsOverride", &metrics);
        let scheme = if self.dark { "dark" } else { "light" };
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        browser.order("Emulation.setEmulatedMedia", &media);
        let scripts = json!({ "value": !self.scripts });
        browser.order("Emulation.setScriptExecutionDisabled", &scripts);
    }
}

/// What the browser complained about on a page, and what it fetched from elsewhere.
fn complaints(browser: &Browser, origin: &str, fails: bool) -> Vec<Value> {
    let mut found: Vec<Value> = Vec::new();
    for kind in [
        "Log.entryAdded",
        "Runtime.exceptionThrown",
        "Runtime.consoleAPICalled",
    ] {
        // That a page about a failure has the status of one is told too.
        let told = browser
            .told(kind)
            .into_iter()
            .filter(|told| !(fails && told["entry"]["source"] == "network"));
        found.extend(told.cloned());
    }
    let asked = browser.told("Network.requestWillBeSent").into_iter();
    found.extend(
        asked
            .filter(|asked| {
                !asked["request"]["url"]
                    .as_str()
                    .is_some_and(|url| url.starts_with(origin))
            })
            .cloned(),
    );
    found
}

fn save(browser: &mut Browser, name: &str) {
    let parameters = json!({ "format": "png", "captureBeyondViewport": true });
    let picture = browser.order("Page.captureScreenshot", &parameters);
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("screenshots");
    fs::create_dir_all(&folder).unwrap();
    let bytes = STANDARD.decode(picture["data"].as_str().unwrap()).unwrap();
    assert!(bytes.len() > 5_000, "{name} is empty");
    fs::write(folder.join(format!("{name}.png")), bytes).unwrap();
}

#[test]
fn pages_show_without_complaint_in_every_look() {
    let Some((mut browser, _profile)) = browser() else {
        return;
    };
    let origin = serve();
    for look in LOOKS {
        look.put_on(&mut browser);
        for (name, address) in addresses() {
            browser.open(&format!("{origin}{address}"));
            let complaints = complaints(&browser, &origin, name == "not-found");
            assert!(
                complaints.is_empty(),
                "{name} {}: {complaints:#?}",
                look.name
            );
            let wide = browser.value("document.documentElement.scrollWidth");
            assert_eq!(wide, look.width, "{name} {} sticks out", look.name);
            // Pictures further down are fetched when they come into view.
            browser.value("scrollTo(0, document.body.scrollHeight)");
            save(&mut browser, &format!("{name}-{}", look.name));
        }
    }
}

#[test]
fn flame_graphs_are_pictures_and_show_alone() {
    let Some((mut browser, _profile)) = browser() else {
        return;
    };
    let origin = serve();
    LOOKS[0].put_on(&mut browser);
    let container = addresses().swap_remove(1).1;
    browser.open(&format!(
        "{origin}{}",
        container.replace("/container", "/flame.svg")
    ));
    assert_eq!(complaints(&browser, &origin, false), Vec::<Value>::new());
    save(&mut browser, "flame-alone");
    browser.open(&format!("{origin}{container}"));
    let loaded = "(async () => { const i = document.querySelector('img.flame'); i.loading = 'eager'; \
                  await i.decode(); return i.naturalWidth; })()";
    let parameters = json!({ "expression": loaded, "awaitPromise": true, "returnByValue": true });
    let width = browser.order("Runtime.evaluate", &parameters)["result"]["value"].take();
    assert_eq!(width, 1200);
}

#[test]
fn what_the_policy_forbids_is_complained_about() {
    let Some((mut browser, _profile)) = browser() else {
        return;
    };
    let origin = serve();
    LOOKS[0].put_on(&mut browser);
    browser.open(&format!("{origin}/"));
    browser.value(
        "const s = document.createElement('script'); s.textContent = 'window.ran = 1'; \
         document.body.append(s); const i = new Image(); i.src = 'http://192.0.2.1/x.png'; 0",
    );
    assert_eq!(browser.value("window.ran === undefined"), true);
    let complaints = complaints(&browser, &origin, false);
    assert!(complaints.len() >= 2, "{complaints:#?}");
}

#[test]
fn the_keyboard_reaches_the_answer_first() {
    let Some((mut browser, _profile)) = browser() else {
        return;
    };
    let origin = serve();
    LOOKS[0].put_on(&mut browser);
    browser.open(&format!("{origin}{}", addresses().swap_remove(1).1));
    let mut press = |key: &str, code: u32, text: &str| {
        for kind in ["keyDown", "keyUp"] {
            let event = json!({
                "type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code, "text": text,
            });
            browser.order("Input.dispatchKeyEvent", &event);
        }
        browser.value("document.activeElement.className + '#' + document.activeElement.id")
    };
    assert_eq!(press("Tab", 9, ""), "skip#");
    assert_eq!(press("Enter", 13, "\r"), "#main");
    // Eighty stripes of the plot are not on the way: the form does the same.
    let mut way = Vec::new();
    for _ in 0..14 {
        way.push(press("Tab", 9, "").as_str().unwrap_or_default().to_owned());
    }
    assert!(way.iter().any(|at| at.starts_with("moment")), "{way:?}");
    assert!(browser.value("document.activeElement.matches(':focus-visible')") == true);
}
