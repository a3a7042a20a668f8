//! Programs that the kernel runs over its own objects while the agent reads them.

use std::{
    fs::File,
    io::{self, Read as _},
    os::fd::{AsFd as _, OwnedFd},
};

use anyhow::{Context as _, bail};
use aya::{Ebpf, maps::Map, programs::Iter};

use super::{
    call,
    control::map,
    plan::{SOCKET_PASS_PROGRAM, SOCKET_TRAFFIC_PROGRAM},
};

/// Goes over all descriptors of all processes once.
pub(super) fn pass_over_descriptors(object: &mut Ebpf) -> anyhow::Result<()> {
    let program = program(object, SOCKET_PASS_PROGRAM)?;
    let link = program.attach().context("start a pass over descriptors")?;
    let file = program.take_link(link)?.into_file()?;
    run(file).context("go over all descriptors")
}

/// Brings what passed over open TCP sockets from their own storage into the table.
pub(super) struct Traffic(OwnedFd);

impl Traffic {
    /// Takes the map of storage out of the object.
    ///
    /// # Errors
    /// An object of another version, its program is not loaded, or the kernel refuses.
    pub(super) fn take(object: &mut Ebpf) -> anyhow::Result<Self> {
        let Map::SkStorage(storage) = map(object, "TRAFFIC")? else {
            bail!("TRAFFIC is no storage of sockets");
        };
        let program = program(object, SOCKET_TRAFFIC_PROGRAM)?.fd()?;
        let link = call::link_to_map(program.as_fd(), storage.fd().as_fd());
        link.map(Self)
            .context("have the kernel go over the storage of sockets")
    }

    /// Does it once.
    ///
    /// # Errors
    /// The kernel refuses; some are brought then.
    pub(super) fn bring(&self) -> io::Result<()> {
        run(File::from(call::create_iterator(self.0.as_fd())?))
    }
}

fn program<'object>(object: &'object mut Ebpf, name: &str) -> anyhow::Result<&'object mut Iter> {
    let program = object
        .program_mut(name)
        .with_context(|| format!("the kernel object has no program {name}"))?;
    Ok(program.try_into()?)
}

fn run(mut iterator: File) -> io::Result<()> {
    let mut nothing = [0; 64];
    loop {
        match iterator.read(&mut nothing) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            // A million objects were looked at: it goes on where it was.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}
