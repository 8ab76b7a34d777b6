//! A document with a signature but for its bytes.

use hayro_syntax::{
    LoadPdfError, Pdf,
    object::{Array, Dict, ObjRef, ObjectIdentifier, String as PdfString},
};

use secrecy::ExposeSecret;

use super::{
    encryption::Sealer,
    file::File,
    form::{self, Signing},
    trailer::{OBJECTS_MAX, Trailer, damaged},
};
use crate::ports::{
    entropy::Entropy,
    pdf::{PdfError, PdfPlacement, PreparedPdf},
};

/// The number of an object that is no document's: see [`open`].
const UNLISTED: u32 = OBJECTS_MAX + 1;

/// See [`crate::ports::pdf::PdfSigning::prepare`]; unbounded but by what this process may use.
pub(super) fn prepare(
    placement: &PdfPlacement,
    document: &[u8],
    entropy: &dyn Entropy,
) -> Result<PreparedPdf, PdfError> {
    let trailer = Trailer::read(document)?;
    let pdf = open(document, None)?;
    let root = pdf.xref().root_id();
    let prepared = if let Some(password) = &placement.password {
        let sealer = Sealer::new(entropy)?;
        let signing = form::sign(&pdf, placement, trailer.size, Some(&sealer))?;
        if signing.has_signature {
            return Err(PdfError::Signed);
        }
        let Signing { objects, references, .. } = &signing;
        let file = File::anew(
            &pdf,
            objects.clone(),
            references.clone(),
            (&trailer, root),
            (&sealer, password.expose_secret(), entropy),
        )?;
        finish(file, &signing)?
    } else {
        let signing = form::sign(&pdf, placement, trailer.size, None)?;
        let file = File::appended(document, &signing.objects, &trailer, root, entropy)?;
        finish(file, &signing)?
    };
    check_unrepaired(&pdf)?;
    check(&prepared, placement)?;
    Ok(prepared)
}

/// Reads a document, with an object behind its end that no cross-reference section has. The library searches the whole
/// document for objects as soon as one is not where it should be, and says nothing of it; then it finds that one too.
fn open(document: &[u8], password: Option<&str>) -> Result<Pdf, PdfError> {
    let data = [document, format!("\n{UNLISTED} 0 obj\ntrue\nendobj\n").as_bytes()].concat();
    Pdf::new_with_password(data, password.unwrap_or_default()).map_err(|error| match error {
        LoadPdfError::Decryption(_) => PdfError::Encrypted,
        LoadPdfError::Invalid => damaged("its catalog or its pages cannot be read"),
    })
}

/// Whether all objects that were read were where the document says.
fn check_unrepaired(pdf: &Pdf) -> Result<(), PdfError> {
    match pdf.xref().get::<bool>(ObjectIdentifier::new(UNLISTED, 0)) {
        None => Ok(()),
        Some(_) => Err(damaged("its cross-references do not lead to its objects")),
    }
}

/// Writes what the signature leaves out, which is known now.
fn finish(mut file: File, signing: &Signing) -> Result<PreparedPdf, PdfError> {
    let contents = file.place(signing.signature, &signing.contents)?;
    let byte_range = file.place(signing.signature, &signing.byte_range)?;
    let rest = file.document.len().saturating_sub(contents.end);
    let numbers = format!(" {} {} {rest}", contents.start, contents.end);
    let room = file.document.get_mut(byte_range).and_then(|room| room.get_mut(..numbers.len()));
    room.ok_or_else(|| damaged("it is too long"))?.copy_from_slice(numbers.as_bytes());
    Ok(PreparedPdf { document: file.document, contents })
}

/// Whether a reader of the result finds the signature: otherwise what was sent is damaged in a way that others would see.
fn check(prepared: &PreparedPdf, placement: &PdfPlacement) -> Result<(), PdfError> {
    let pdf = open(&prepared.document, placement.password.as_ref().map(ExposeSecret::expose_secret))?;
    let catalog = pdf.xref().get::<Dict<'_>>(pdf.xref().root_id());
    let field = catalog.and_then(|catalog| last(&catalog.get::<Dict<'_>>("AcroForm")?, "Fields"));
    let page = usize::try_from(placement.page).ok().and_then(|page| pdf.pages().get(page.checked_sub(1)?));
    let is_on_page = field.is_some() && page.and_then(|page| last(page.raw(), "Annots")) == field;
    let field = field.map(|field| ObjectIdentifier::new(field.obj_number, field.gen_number));
    let field = field.and_then(|field| pdf.xref().get::<Dict<'_>>(field));
    let signature = field.and_then(|field| field.get::<Dict<'_>>("V"));
    let contents = signature.and_then(|signature| signature.get::<PdfString<'_>>("Contents"));
    let is_found = contents.is_some_and(|contents| {
        placement.password.is_some() || contents.as_bytes().len() == placement.signature_bytes
    });
    if is_found && is_on_page {
        check_unrepaired(&pdf)
    } else {
        Err(damaged("its objects contradict each other"))
    }
}

/// What the last element of a list refers to.
fn last(dictionary: &Dict<'_>, key: &str) -> Option<ObjRef> {
    dictionary.get::<Array<'_>>(key)?.raw_iter().last()?.as_obj_ref()
}
