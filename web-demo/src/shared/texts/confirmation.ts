import type { Texts } from "./texts.ts";

/** What is said of signed confirmations. */
export const CONFIRMATION = {
  "Have it confirmed": { fr: "Faire confirmer", ar: "اطلب التأكيد" },
  "The office signs which packet was opened, when, and by whom. Nothing about the person is in it.": {
    fr: "Le bureau signe quel paquet a été ouvert, quand et par qui. Rien sur la personne n’y figure.",
    ar: "يوقّع المكتب أي حزمة فُتحت، ومتى، ومن فتحها. لا شيء عن الشخص فيه.",
  },
  "The office is signing.": { fr: "Le bureau signe.", ar: "المكتب يوقّع." },
  "Check a signed confirmation": {
    fr: "Vérifier une confirmation signée",
    ar: "التحقق من تأكيد موقَّع",
  },
  "This browser checks who has signed, and that nothing was changed since. Anyone can: it takes no right, only the authority’s certificate.":
    {
      fr: "Ce navigateur vérifie qui a signé, et que rien n’a changé depuis. Tout le monde le peut : il n’y faut aucun droit, seulement le certificat de l’autorité.",
      ar: "يتحقق هذا المتصفح ممن وقّع، ومن أن شيئا لم يتغير بعد ذلك. يستطيع أي شخص ذلك: لا يلزم أي حق، بل شهادة السلطة فقط.",
    },
  "Signed confirmation": { fr: "Confirmation signée", ar: "التأكيد الموقَّع" },
  "Check the signature": { fr: "Vérifier la signature", ar: "تحقق من التوقيع" },
  "Checking the signature.": { fr: "Vérification de la signature.", ar: "جار التحقق من التوقيع." },
  "The signature is good": { fr: "La signature est bonne", ar: "التوقيع صحيح" },
  "Signed by": { fr: "Signée par", ar: "الموقِّع" },
  "Vouched for by": { fr: "Avec la garantie de", ar: "بشهادة" },
  "Opened by": { fr: "Ouvert par", ar: "فتحها" },
  "Opened on": { fr: "Ouvert le", ar: "فُتحت في" },
  "Received on": { fr: "Reçu le", ar: "استُلمت في" },
  "SHA-256 of the packet": { fr: "SHA-256 du paquet", ar: "SHA-256 للحزمة" },
  "It is the packet that is open above, byte for byte.": {
    fr: "C’est le paquet ouvert ci-dessus, octet pour octet.",
    ar: "هي الحزمة المفتوحة أعلاه، بايتا ببايت.",
  },
  "It names the packet that is open above, but was signed for other bytes.": {
    fr: "Elle nomme le paquet ouvert ci-dessus, mais a été signée pour d’autres octets.",
    ar: "يسمّي الحزمة المفتوحة أعلاه، لكنه وُقّع على بايتات أخرى.",
  },
  "It is about another packet than the one that is open above.": {
    fr: "Il s’agit d’un autre paquet que celui ouvert ci-dessus.",
    ar: "يخص حزمة أخرى غير المفتوحة أعلاه.",
  },
  "There is no signed confirmation here": {
    fr: "Il n’y a pas de confirmation signée ici",
    ar: "لا يوجد هنا تأكيد موقَّع",
  },
  "Paste all of it: three parts with a dot between each, as the office gave it.": {
    fr: "Collez-la en entier : trois parties séparées par un point, telle que le bureau l’a donnée.",
    ar: "الصقه كاملا: ثلاثة أجزاء بينها نقطة، كما أعطاه المكتب.",
  },
  "The signature is not good": { fr: "La signature n’est pas bonne", ar: "التوقيع غير صحيح" },
  "Something in it was changed after it was signed. Do not rely on it: ask for the original.": {
    fr: "Quelque chose y a été changé après la signature. Ne vous y fiez pas : demandez l’original.",
    ar: "غُيّر فيه شيء بعد توقيعه. لا تعتمد عليه: اطلب الأصل.",
  },
  "The signer is not trusted": { fr: "Le signataire n’est pas digne de confiance", ar: "الموقِّع غير موثوق" },
  "It is signed, but the authority does not vouch for who did it, or no longer. Do not rely on it.": {
    fr: "Elle est signée, mais l’autorité ne se porte pas garante du signataire, ou plus maintenant. Ne vous y fiez pas.",
    ar: "وُقّع، لكن السلطة لا تشهد لمن وقّعه، أو لم تعد تشهد له. لا تعتمد عليه.",
  },
  "Somebody else has signed this": { fr: "Quelqu’un d’autre l’a signée", ar: "وقّعه طرف آخر" },
  "The signature is good, but it is not that of the office. Do not take it for a confirmation.": {
    fr: "La signature est bonne, mais ce n’est pas celle du bureau. Ne la prenez pas pour une confirmation.",
    ar: "التوقيع صحيح، لكنه ليس توقيع المكتب. لا تعدّه تأكيدا.",
  },
  "This is no confirmation": { fr: "Ceci n’est pas une confirmation", ar: "هذا ليس تأكيدا" },
  "The office has signed it, but it is about something else.": {
    fr: "Le bureau l’a signé, mais il s’agit d’autre chose.",
    ar: "وقّعه المكتب، لكنه يخص شيئا آخر.",
  },
  "This client may not have anything signed": {
    fr: "Ce client ne peut rien faire signer",
    ar: "لا يحق لهذا العميل طلب أي توقيع",
  },
  "Signing takes the role signer, and the roles of this client are: {roles}. Nothing was signed. Sign in with another client, or ask an administrator.":
    {
      fr: "Il y faut le rôle signer, et les rôles de ce client sont : {roles}. Rien n’a été signé. Connectez-vous avec un autre client, ou demandez à un administrateur.",
      ar: "يتطلب التوقيع الدور signer، وأدوار هذا العميل هي: {roles}. لم يُوقَّع شيء. ادخل بعميل آخر، أو اسأل مسؤولا.",
    },
} as const satisfies Texts;
