export { parseForm, sealForm } from "./form/form.ts";
