//! `kunji-bindgen MODULE.wasm DIRECTORY`: writes `kunji_bg.wasm` and the glue `kunji_bg.js` into the directory.
//!
//! The glue is that for bundlers: it takes its instance from whoever calls `__wbg_set_wasm`, and has no opinion on
//! where the module's bytes come from. The package has loaders of its own.

use std::{env, path::PathBuf};

use anyhow::{Context as _, Result, bail};
use wasm_bindgen_cli_support::Bindgen;

fn main() -> Result<()> {
    let arguments: Vec<PathBuf> = env::args_os().skip(1).map(PathBuf::from).collect();
    let [module, directory] = arguments.as_slice() else {
        bail!("usage: kunji-bindgen MODULE.wasm DIRECTORY");
    };
    Bindgen::new()
        .input_path(module)
        .out_name("kunji")
        .bundler(true)
        .context("the bundler target was refused")?
        .typescript(false)
        .remove_name_section(true)
        .remove_producers_section(true)
        .generate(directory)
}
