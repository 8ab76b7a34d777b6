import type { Texts } from "./texts.ts";

/** What both pages say. */
export const COMMON = {
  demo: { fr: "démo", ar: "عرض" },
  Pages: { fr: "Pages", ar: "الصفحات" },
  Languages: { fr: "Langues", ar: "اللغات" },
  Registration: { fr: "Enregistrement", ar: "التسجيل" },
  Review: { fr: "Examen", ar: "المراجعة" },
  "Full name": { fr: "Nom complet", ar: "الاسم الكامل" },
  "Date of birth": { fr: "Date de naissance", ar: "تاريخ الميلاد" },
  "{width} × {height} pixels, {size}": {
    fr: "{width} × {height} pixels, {size}",
    ar: "{width} × {height} بكسل، {size}",
  },
  "Something went wrong": { fr: "Quelque chose n’a pas marché", ar: "حدث خطأ ما" },
  "Code:": { fr: "Code :", ar: "الرمز:" },
  "Packet id": { fr: "Identifiant du paquet", ar: "معرّف الحزمة" },
  Size: { fr: "Taille", ar: "الحجم" },
  "Reload the page and try again. If this message stays, tell the office about it.": {
    fr: "Rechargez la page et réessayez. Si ce message reste, signalez-le au bureau.",
    ar: "أعد تحميل الصفحة وحاول مرة أخرى. إذا بقيت هذه الرسالة فأبلغ المكتب.",
  },
  "Check that this device is connected to the network, then try again.": {
    fr: "Vérifiez que cet appareil est connecté au réseau, puis réessayez.",
    ar: "تحقق من اتصال هذا الجهاز بالشبكة، ثم حاول مرة أخرى.",
  },
  "The server cannot be reached": { fr: "Le serveur est injoignable", ar: "لا يمكن الوصول إلى الخادم" },
  "Too many attempts": { fr: "Trop de tentatives", ar: "محاولات كثيرة جدا" },
  "Wait a minute, then try again.": {
    fr: "Attendez une minute, puis réessayez.",
    ar: "انتظر دقيقة، ثم حاول مرة أخرى.",
  },
  "The server has a problem": { fr: "Le serveur a un problème", ar: "في الخادم مشكلة" },
  "Try again in a few minutes.": { fr: "Réessayez dans quelques minutes.", ar: "حاول مرة أخرى بعد بضع دقائق." },
} as const satisfies Texts;
