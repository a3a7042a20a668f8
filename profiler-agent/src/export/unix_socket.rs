//! The Unix socket's file: made, and taken away again.

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, PermissionsExt as _},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
};

use tokio::net::UnixListener;

use super::server::BindError;

const DIRECTORY_MODE: u32 = 0o755;
const SOCKET_MODE: u32 = 0o660;

/// A socket's file that this process made; it is removed on drop, unless another has taken its
/// place.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    identity: (u64, u64),
}

impl SocketFile {
    /// Makes the directory and the socket. A file that is no socket, and a socket on which someone
    /// answers, stay as they are.
    pub(super) fn bind(path: &Path) -> Result<(Self, UnixListener), BindError> {
        let failed = |doing, error| BindError::Socket {
            path: path.to_owned(),
            doing,
            error,
        };
        if let Some(directory) = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty())
        {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(DIRECTORY_MODE)
                .create(directory)
                .map_err(|error| failed("make its directory", error))?;
        }
        clear_stale(path)?;
        let listener = UnixListener::bind(path).map_err(|error| failed("listen on it", error))?;
        let metadata = fs::symlink_metadata(path).map_err(|error| failed("look at it", error))?;
        let file = Self {
            path: path.to_owned(),
            identity: (metadata.dev(), metadata.ino()),
        };
        fs::set_permissions(path, fs::Permissions::from_mode(SOCKET_MODE))
            .map_err(|error| failed("set its permissions", error))?;
        Ok((file, listener))
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let ours = fs::symlink_metadata(&self.path)
            .is_ok_and(|metadata| (metadata.dev(), metadata.ino()) == self.identity);
        if ours && let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "can't remove the socket");
        }
    }
}

/// Removes a socket that an agent which did not end properly left behind.
fn clear_stale(path: &Path) -> Result<(), BindError> {
    let Ok(metadata) = fs::symlink_metadata(path) else {
        return Ok(());
    };
    if !metadata.file_type().is_socket() {
        return Err(BindError::NotASocket(path.to_owned()));
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path)
            .map_err(|error| BindError::Socket {
                path: path.to_owned(),
                doing: "remove what an earlier agent left there",
                error,
            }),
        // A full backlog and missing rights are answers too: someone is there.
        _ => Err(BindError::SocketTaken(path.to_owned())),
    }
}
