//! A signature field on a page, and its signature (ISO 32000-2, 12.7.5.5 and 12.8.1; ETSI EN 319 142-1).

use std::{collections::BTreeSet, ops::Range};

use hayro_syntax::{
    Pdf,
    object::{Array, Dict, MaybeRef, Number, ObjRef, Object, ObjectIdentifier, String as PdfString},
    page::Page,
};

use super::{appearance::Appearance, encryption::Sealer, file::Objects, trailer::damaged, writer::Writer};
use crate::ports::pdf::{PdfError, PdfPlacement};

/// `Print` and `Locked`: it is printed, and not moved.
const FLAGS: u32 = 1 << 2 | 1 << 7;
/// There are signatures, and the document is only to be appended to.
const SIGNATURE_FLAGS: u32 = 0b11;
/// Room for a number in `ByteRange`.
const NUMBER_DIGITS: usize = 10;
/// No changes (12.8.2.2).
const NO_CHANGES: i32 = 1;

/// The objects that put a signature into a document.
pub(super) struct Signing {
    /// New ones, and those that are changed.
    pub(super) objects: Objects,
    /// What those refer to.
    pub(super) references: Vec<ObjectIdentifier>,
    /// Whether what is changed holds a signature.
    pub(super) has_signature: bool,
    /// The number of the signature.
    pub(super) signature: u32,
    /// In its text: the three numbers that `ByteRange` lacks, and the contents.
    pub(super) byte_range: Range<usize>,
    pub(super) contents: Range<usize>,
}

/// Makes them; new ones are numbered from `next`.
pub(super) fn sign(
    pdf: &Pdf,
    placement: &PdfPlacement,
    next: u32,
    sealer: Option<&Sealer<'_>>,
) -> Result<Signing, PdfError> {
    let xref = pdf.xref();
    let root = xref.root_id();
    let catalog = xref.get::<Dict<'_>>(root).ok_or_else(|| damaged("it has no catalog"))?;
    refuse_certified(&catalog)?;
    let tree = catalog.get::<Dict<'_>>("Pages").ok_or_else(|| damaged("it has no pages"))?;
    let (page, page_id) = page(pdf, &tree, placement.page)?;
    let [signature, appearance, field] = [next, next + 1, next + 2];
    let mut update =
        Update { pdf, sealer, objects: Objects::new(), references: Vec::new(), has_signature: false };

    let (text, byte_range, contents) = signature_dictionary(placement, sealer)?;
    update.objects.insert(signature, (0, text));
    let rectangle = Rectangle::of(placement);
    if let Some((width, height)) = rectangle.area() {
        let drawn = Appearance { width, height, rotation: page.rotation() };
        update.objects.insert(appearance, (0, drawn.form(placement, sealer)?));
    }
    let mut widget = update.writer();
    widget.raw("<</Type/Annot/Subtype/Widget/FT/Sig/T");
    widget.text_string(&field_name(pdf, &catalog))?;
    widget.raw(&format!("/F {FLAGS}/V")).reference(signature, 0);
    widget.raw("/P").reference(page_id.obj_number, page_id.gen_number);
    widget.raw(&format!("/Rect{}", rectangle.text()));
    if rectangle.area().is_some() {
        widget.raw("/AP<</N").reference(appearance, 0).raw(">>");
    }
    widget.raw(">>");
    update.put(ObjectIdentifier::new(field, 0), widget);
    update.add_to_form(&catalog, root, field)?;
    update.add_to_page(page.raw(), page_id, field)?;
    let Update { objects, references, has_signature, .. } = update;
    Ok(Signing { objects, references, has_signature, signature, byte_range, contents })
}

/// A page, from 1, and the object that it is.
fn page<'a>(
    pdf: &'a Pdf,
    tree: &Dict<'_>,
    number: u32,
) -> Result<(&'a Page<'a>, ObjectIdentifier), PdfError> {
    let pages = pdf.pages();
    let count = u32::try_from(pages.len()).unwrap_or(u32::MAX);
    // Pages that cannot be read are left out, and the number would be another page's.
    if tree.get::<u32>("Count") != Some(count) {
        return Err(damaged("it has not as many readable pages as it says"));
    }
    let index = number.checked_sub(1).ok_or(PdfError::Page(count))?;
    let page = pages.get(index as usize).ok_or(PdfError::Page(count))?;
    // A page that stands in its parent has the parent's number.
    let id = page.raw().obj_id().filter(|id| pdf.xref().get::<Dict<'_>>(*id).as_ref() == Some(page.raw()));
    Ok((page, id.ok_or_else(|| damaged("the page is no object of its own"))?))
}

/// A certified document may allow no changes, signatures included.
fn refuse_certified(catalog: &Dict<'_>) -> Result<(), PdfError> {
    let certification = catalog.get::<Dict<'_>>("Perms").and_then(|perms| perms.get::<Dict<'_>>("DocMDP"));
    let references = certification.and_then(|certification| certification.get::<Array<'_>>("Reference"));
    let allows_none = |reference: Dict<'_>| {
        let parameters = reference.get::<Dict<'_>>("TransformParams");
        parameters.and_then(|parameters| parameters.get::<i32>("P")) == Some(NO_CHANGES)
    };
    if references.is_some_and(|references| references.iter::<Dict<'_>>().any(allows_none)) {
        return Err(PdfError::Certified);
    }
    Ok(())
}

/// `Signature1`, or the next that no field of the document has.
fn field_name(pdf: &Pdf, catalog: &Dict<'_>) -> String {
    let fields = catalog.get::<Dict<'_>>("AcroForm").and_then(|form| form.get::<Array<'_>>("Fields"));
    let references = fields.iter().flat_map(Array::raw_iter).filter_map(|field| field.as_obj_ref());
    let ids = references.map(|field| ObjectIdentifier::new(field.obj_number, field.gen_number));
    let fields = ids.filter_map(|id| pdf.xref().get::<Dict<'_>>(id));
    let taken: BTreeSet<Vec<u8>> =
        fields.filter_map(|field| Some(field.get::<PdfString<'_>>("T")?.as_bytes().to_vec())).collect();
    let mut names = (1_u32..).map(|number| format!("Signature{number}"));
    names.find(|name| !taken.contains(name.as_bytes())).unwrap_or_default()
}

/// A text, and where in it `ByteRange` and the contents are.
type Gapped = (Vec<u8>, Range<usize>, Range<usize>);

/// The signature dictionary, and in its text the places of what is not known yet.
fn signature_dictionary(placement: &PdfPlacement, sealer: Option<&Sealer<'_>>) -> Result<Gapped, PdfError> {
    let mut dictionary = Writer::new(sealer);
    dictionary.raw("<</Type/Sig/Filter/Adobe.PPKLite/SubFilter/ETSI.CAdES.detached/ByteRange[0");
    let byte_range = dictionary.text.len();
    dictionary.raw(&" ".repeat(3 * (1 + NUMBER_DIGITS)));
    let byte_range = byte_range..dictionary.text.len();
    dictionary.raw("]/Contents");
    let contents = dictionary.text.len();
    dictionary.hexadecimal(&vec![0; placement.signature_bytes]);
    let contents = contents..dictionary.text.len();
    dictionary.raw("/M").string(date(placement).as_bytes())?;
    dictionary.raw("/Name").text_string(&placement.signer)?;
    dictionary.raw("/Reason").text_string(&placement.reason)?.raw(">>");
    Ok((dictionary.text, byte_range, contents))
}

/// `D:YYYYMMDDHHmmSSZ` (7.9.4).
fn date(placement: &PdfPlacement) -> String {
    let digits: String = placement.at.to_text().chars().filter(char::is_ascii_digit).take(14).collect();
    format!("D:{digits}Z")
}

/// Two corners, the lower left first.
struct Rectangle {
    low: [i32; 2],
    high: [i32; 2],
}

impl Rectangle {
    fn of(placement: &PdfPlacement) -> Self {
        let [x, y, other_x, other_y] = placement.rectangle;
        Self { low: [x.min(other_x), y.min(other_y)], high: [x.max(other_x), y.max(other_y)] }
    }

    /// Width and height; `None` without an area.
    fn area(&self) -> Option<(f64, f64)> {
        let [width, height] = [0, 1].map(|axis: usize| {
            f64::from(self.high.get(axis).copied().unwrap_or(0))
                - f64::from(self.low.get(axis).copied().unwrap_or(0))
        });
        (width > 0.0 && height > 0.0).then_some((width, height))
    }

    fn text(&self) -> String {
        if self.area().is_none() {
            return "[0 0 0 0]".to_owned();
        }
        let ([x, y], [other_x, other_y]) = (self.low, self.high);
        format!("[{x} {y} {other_x} {other_y}]")
    }
}

struct Update<'a> {
    pdf: &'a Pdf,
    sealer: Option<&'a Sealer<'a>>,
    objects: Objects,
    references: Vec<ObjectIdentifier>,
    has_signature: bool,
}

impl<'a> Update<'a> {
    fn writer(&self) -> Writer<'a> {
        Writer::new(self.sealer)
    }

    fn put(&mut self, id: ObjectIdentifier, writer: Writer<'_>) {
        self.has_signature |= writer.has_signature;
        let references = writer.references.iter();
        self.references.extend(references.map(|to| ObjectIdentifier::new(to.obj_number, to.gen_number)));
        self.objects.insert(id.obj_number, (id.gen_number, writer.text));
    }

    /// The object that an entry refers to, if it is of the kind it must be.
    fn referred<T>(
        &self,
        dictionary: &Dict<'a>,
        key: &str,
        read: impl FnOnce(Object<'a>) -> Option<T>,
    ) -> Option<(ObjectIdentifier, T)> {
        let MaybeRef::Ref(ObjRef { obj_number, gen_number }) = dictionary.get_raw::<Object<'_>>(key)? else {
            return None;
        };
        let id = ObjectIdentifier::new(obj_number, gen_number);
        Some((id, read(self.pdf.xref().get::<Object<'a>>(id)?)?))
    }

    /// Adds the field to the document's form, wherever that stands.
    fn add_to_form(
        &mut self,
        catalog: &Dict<'a>,
        root: ObjectIdentifier,
        field: u32,
    ) -> Result<(), PdfError> {
        if let Some((id, form)) = self.referred(catalog, "AcroForm", Object::into_dict) {
            let mut writer = self.writer();
            self.form(&mut writer, &form, field)?;
            self.put(id, writer);
            return Ok(());
        }
        let mut writer = self.writer();
        writer.raw("<<");
        writer.entries(catalog, &["AcroForm"])?;
        writer.raw("/AcroForm");
        let form = catalog.get::<Dict<'_>>("AcroForm").unwrap_or_default();
        self.form(&mut writer, &form, field)?;
        writer.raw(">>");
        self.put(root, writer);
        Ok(())
    }

    fn form(&mut self, writer: &mut Writer<'_>, form: &Dict<'a>, field: u32) -> Result<(), PdfError> {
        writer.raw("<<");
        let flags =
            form.get::<Number>("SigFlags").map_or(0, |flags| flags.as_i64()) | i64::from(SIGNATURE_FLAGS);
        let fields = self.list(writer, form, "Fields", field)?;
        writer.entries(form, if fields { &["SigFlags", "Fields"] } else { &["SigFlags"] })?;
        writer.raw(&format!("/SigFlags {flags}>>"));
        Ok(())
    }

    /// Adds the field to the annotations of a page.
    fn add_to_page(&mut self, page: &Dict<'a>, id: ObjectIdentifier, field: u32) -> Result<(), PdfError> {
        let mut writer = self.writer();
        writer.raw("<<");
        if self.list(&mut writer, page, "Annots", field)? {
            writer.entries(page, &["Annots"])?;
            writer.raw(">>");
            self.put(id, writer);
        }
        Ok(())
    }

    /// Adds a reference to the list under `key`: to the object that it is, or in the dictionary that is written. Says
    /// whether it was the latter.
    fn list(
        &mut self,
        dictionary: &mut Writer<'_>,
        from: &Dict<'a>,
        key: &str,
        number: u32,
    ) -> Result<bool, PdfError> {
        let array = |writer: &mut Writer<'_>, array: Option<Array<'_>>| {
            writer.raw("[");
            array.map_or(Ok(()), |array| writer.elements(&array))?;
            writer.reference(number, 0).raw("]");
            Ok(())
        };
        if let Some((id, list)) = self.referred(from, key, Object::into_array) {
            let mut writer = self.writer();
            array(&mut writer, Some(list))?;
            self.put(id, writer);
            return Ok(false);
        }
        dictionary.raw("/").raw(key);
        array(dictionary, from.get::<Array<'_>>(key))?;
        Ok(true)
    }
}
