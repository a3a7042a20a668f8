//! The configuration file, read as the agent reads it.
#![no_main]

use std::fs::File;
use std::io::{Seek, Write};
use std::os::fd::AsRawFd;

use libfuzzer_sys::fuzz_target;
use profiler_agent::config::{Config, Options};
use profiler_agent::filter::Filter;
use rustix::fs::{MemfdFlags, memfd_create};

fuzz_target!(|text: &[u8]| {
    let Ok(file) = memfd_create("agent.toml", MemfdFlags::CLOEXEC) else {
        return;
    };
    let mut file = File::from(file);
    if file.write_all(text).is_err() || file.rewind().is_err() {
        return;
    }
    let options = Options {
        config: Some(format!("/proc/self/fd/{}", file.as_raw_fd()).into()),
        ..Options::default()
    };
    match Config::load(&options) {
        Ok(config) => drop(Filter::new(&config.filter)),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
