//! Files for the reports: there is the report of this run, or none.

use std::{
    fs::{self, Permissions},
    io::{self, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use tempfile::{Builder, NamedTempFile};

use crate::{args::SoakArgs, failure::Failure, screen::Screen};

/// Both of them.
pub(super) struct Files {
    pub(super) page: Option<ReportFile>,
    pub(super) json: Option<ReportFile>,
}

impl Files {
    /// Finds out before the test that they can be written, and takes away what is there of a run
    /// before.
    pub(super) fn new(args: &SoakArgs) -> Result<Self, Failure> {
        let file = |path: &Option<PathBuf>| path.as_deref().map(ReportFile::new).transpose();
        Ok(Self {
            page: file(&args.report)?,
            json: file(&args.report_json)?,
        })
    }
}

/// Where a report goes.
pub(super) enum ReportFile {
    /// A pipe, a device, or the standard output (`-`): what cannot be replaced.
    Straight(PathBuf),
    /// Beside the file, until it is whole.
    Beside(NamedTempFile, PathBuf),
}

impl ReportFile {
    fn new(path: &Path) -> Result<Self, Failure> {
        let known = fs::metadata(path);
        if path.as_os_str() == "-" || known.as_ref().is_ok_and(|it| !it.is_file() && !it.is_dir()) {
            return Ok(Self::Straight(path.to_owned()));
        }
        beside(path, known.is_ok())
            .map_err(|error| Failure::write(&path.display().to_string(), &error))
    }

    /// Puts the report there.
    pub(super) fn fill(self, report: &[u8], screen: &mut Screen) -> Result<(), Failure> {
        match self {
            Self::Straight(path) => screen.save(Some(&path), report).map(drop),
            Self::Beside(mut file, path) => {
                let written = file.write_all(report);
                let done = written.and_then(|()| Ok(file.persist(&path).map(drop)?));
                done.map_err(|error| Failure::write(&path.display().to_string(), &error))
            }
        }
    }
}

fn beside(path: &Path, exists: bool) -> io::Result<ReportFile> {
    // Of a link, what it leads to is replaced.
    let path = match exists {
        true => path.canonicalize()?,
        false => path.to_owned(),
    };
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let file = Builder::new()
        // As any other new file.
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(folder.unwrap_or(Path::new(".")))?;
    if exists {
        fs::remove_file(&path)?;
    }
    Ok(ReportFile::Beside(file, path))
}
