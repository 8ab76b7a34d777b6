//! Finds the demo's pages, which the program embeds: writes a list of (path below `web-demo/dist`, bytes) as a Rust
//! expression. Without the pages the list is empty and everything still compiles.

use std::{
    env,
    error::Error,
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
};

fn main() -> Result<(), Box<dyn Error>> {
    let demo = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("../web-demo");
    let pages = demo.join("dist");
    let mut list = String::from("&[\n");
    if pages.is_dir() {
        for file in files_below(&pages)? {
            let name = file.strip_prefix(&pages)?.to_str().ok_or("a page's name is no text")?;
            writeln!(list, "    ({name:?}, include_bytes!({:?})),", file.display().to_string())?;
        }
        println!("cargo::rerun-if-changed={}", pages.display());
    } else {
        // Cargo takes a watched path that is missing for one that changes all the time.
        println!("cargo::rerun-if-changed={}", demo.display());
    }
    list.push(']');
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("demo_pages.rs"), list)?;
    println!("cargo::rerun-if-changed=build.rs");
    Ok(())
}

fn files_below(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(files_below(&path)?);
        } else {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
