//! A headless Chromium, steered over a pipe.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

/// The slowest of machines answers within.
const PATIENCE: Duration = Duration::from_secs(30);

/// A browser with one page.
pub(crate) struct Browser {
    child: Child,
    orders: ChildStdin,
    told: Receiver<Value>,
    session: String,
    number: u64,
    /// What it told besides answers.
    pub(crate) events: Vec<Value>,
}

impl Browser {
    /// Starts it with a profile of its own; the reason if it is not there.
    pub(crate) fn start(profile: &Path) -> Result<Self, String> {
        let found = [
            "/usr/bin/chromium",
            "/usr/bin/chromium-browser",
            "/usr/bin/google-chrome",
        ];
        let Some(path) = found.iter().find(|path| Path::new(path).exists()) else {
            return Err("no Chromium is installed (Debian: chromium)".into());
        };
        // Orders go to descriptor 3, answers come from descriptor 4.
        let mut child = Command::new("sh")
            .args([
                "-c",
                "exec \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>&1",
                "sh",
                path,
            ])
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--hide-scrollbars",
            ])
            .args([
                "--disable-background-networking",
                "--no-first-run",
                "--remote-debugging-pipe",
            ])
            .arg(format!("--user-data-dir={}", profile.display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{path} does not start: {error}"))?;
        let orders = child.stdin.take().unwrap();
        let mut answers = BufReader::new(child.stdout.take().unwrap());
        let (tell, told) = channel();
        thread::spawn(move || {
            let mut bytes = Vec::new();
            while answers
                .read_until(0, &mut bytes)
                .is_ok_and(|length| length > 0)
            {
                let message = serde_json::from_slice(&bytes[..bytes.len() - 1]);
                bytes.clear();
                if message.is_ok_and(|message| tell.send(message).is_err()) {
                    return;
                }
            }
        });
        let mut browser = Self {
            child,
            orders,
            told,
            session: String::new(),
            number: 0,
            events: Vec::new(),
        };
        let page = browser.order("Target.createTarget", &json!({ "url": "about:blank" }));
        let attach = json!({ "targetId": page["targetId"], "flatten": true });
        let session = browser.order("Target.attachToTarget", &attach);
        browser.session = session["sessionId"].as_str().unwrap().to_owned();
        for domain in ["Page", "Log", "Runtime", "Network"] {
            browser.order(&format!("{domain}.enable"), &json!({}));
        }
        Ok(browser)
    }

    /// Gives an order and waits for its answer.
    pub(crate) fn order(&mut self, method: &str, parameters: &Value) -> Value {
        self.number += 1;
        let number = self.number;
        let mut order = json!({ "id": number, "method": method, "params": parameters });
        if !self.session.is_empty() {
            order["sessionId"] = self.session.clone().into();
        }
        let mut bytes = order.to_string().into_bytes();
        bytes.push(0);
        self.orders.write_all(&bytes).unwrap();
        loop {
            let mut message = self
                .told
                .recv_timeout(PATIENCE)
                .expect("the browser went silent");
            if message["id"] == number {
                assert!(message.get("error").is_none(), "{method}: {message}");
                return message["result"].take();
            }
            self.events.push(message);
        }
    }

    /// Opens an address and waits until all of it is there.
    pub(crate) fn open(&mut self, address: &str) {
        self.events.clear();
        self.order("Page.navigate", &json!({ "url": address }));
        let since = Instant::now();
        while !self
            .events
            .iter()
            .any(|event| event["method"] == "Page.loadEventFired")
        {
            assert!(since.elapsed() < PATIENCE, "{address} does not load");
            if let Ok(message) = self.told.recv_timeout(Duration::from_millis(100)) {
                self.events.push(message);
            }
        }
    }

    /// The value of an expression on the page.
    pub(crate) fn value(&mut self, expression: &str) -> Value {
        let parameters = json!({ "expression": expression, "returnByValue": true });
        self.order("Runtime.evaluate", &parameters)["result"]["value"].take()
    }

    /// What was told of one kind since the page was opened.
    pub(crate) fn told(&self, method: &str) -> Vec<&Value> {
        let events = self.events.iter().filter(|event| event["method"] == method);
        events.map(|event| &event["params"]).collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
