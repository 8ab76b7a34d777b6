import type { Texts } from "./texts.ts";

/** What is said of the camera. */
export const CAMERA = {
  "Use the camera": { fr: "Utiliser l’appareil photo", ar: "استعمل الكاميرا" },
  Camera: { fr: "Appareil photo", ar: "الكاميرا" },
  "What the camera sees": { fr: "Ce que voit l’appareil photo", ar: "ما تراه الكاميرا" },
  "Take the photo": { fr: "Prendre la photo", ar: "التقط الصورة" },
  "Close the camera": { fr: "Fermer l’appareil photo", ar: "أغلق الكاميرا" },
  "The camera is on. Nothing is taken until you press the button.": {
    fr: "L’appareil photo est allumé. Rien n’est pris avant que vous appuyiez sur le bouton.",
    ar: "الكاميرا تعمل. لا تُلتقط أي صورة حتى تضغط الزر.",
  },
  "The photo was taken.": { fr: "La photo est prise.", ar: "التُقطت الصورة." },
  "The camera may not be used. Allow it in the browser’s settings for this page, or choose a file.": {
    fr: "L’appareil photo n’est pas autorisé. Autorisez-le pour cette page dans les réglages du navigateur, ou choisissez un fichier.",
    ar: "استعمال الكاميرا غير مسموح. اسمح به لهذه الصفحة في إعدادات المتصفح، أو اختر ملفا.",
  },
  "This device has no camera that can be used. Choose a file.": {
    fr: "Cet appareil n’a pas d’appareil photo utilisable. Choisissez un fichier.",
    ar: "لا توجد في هذا الجهاز كاميرا صالحة للاستعمال. اختر ملفا.",
  },
  "The camera is used by another program, or is broken. Close that program and try again, or choose a file.": {
    fr: "L’appareil photo est pris par un autre programme, ou en panne. Fermez ce programme et réessayez, ou choisissez un fichier.",
    ar: "الكاميرا مستعملة في برنامج آخر أو معطلة. أغلق ذلك البرنامج وحاول مرة أخرى، أو اختر ملفا.",
  },
  "The camera went away. Connect it and try again, or choose a file.": {
    fr: "L’appareil photo a disparu. Rebranchez-le et réessayez, ou choisissez un fichier.",
    ar: "انقطعت الكاميرا. أعد توصيلها وحاول مرة أخرى، أو اختر ملفا.",
  },
} as const satisfies Texts;
