//! Signed statements appended to a file, for example on a disk of another machine or one that is written once.

use std::{
    fs::OpenOptions,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use async_trait::async_trait;

use crate::ports::audit_anchor::{AnchorError, AuditAnchor};

/// [`AuditAnchor`] in a file: one statement a line, synchronized before it counts as published.
pub struct AnchorFile(PathBuf);

impl AnchorFile {
    /// The file, which is made when it is not there.
    pub fn new(path: PathBuf) -> Self {
        Self(path)
    }
}

#[async_trait]
impl AuditAnchor for AnchorFile {
    fn name(&self) -> &'static str {
        "file"
    }

    async fn publish(&self, statement: &str) -> Result<(), AnchorError> {
        let (path, line) = (self.0.clone(), format!("{statement}\n"));
        tokio::task::spawn_blocking(move || append(&path, line.as_bytes()))
            .await
            .map_err(|error| AnchorError(error.to_string()))?
            .map_err(|error| AnchorError(error.to_string()))
    }
}

fn append(path: &Path, line: &[u8]) -> std::io::Result<()> {
    let mut file = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
    let length = file.metadata()?.len();
    let written = file.write_all(line).and_then(|()| file.sync_data());
    if written.is_err() {
        // Half a line would spoil the next one. A file that can only be appended to keeps it.
        let _ = file.set_len(length);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn statements_are_lines_and_what_fails_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("anchors");
        let anchor = AnchorFile::new(path.clone());
        anchor.publish("a").await.unwrap();
        AnchorFile::new(path.clone()).publish("b").await.unwrap();
        assert_eq!(std::fs::read_to_string(path).unwrap(), "a\nb\n");
        assert!(AnchorFile::new(dir.path().join("missing/anchors")).publish("a").await.is_err());
    }
}
