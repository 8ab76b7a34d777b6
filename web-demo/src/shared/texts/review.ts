import type { Texts } from "./texts.ts";

/** What the reviewer's page says. */
export const REVIEW = {
  "Review · Kunji demo": { fr: "Examen · démo Kunji", ar: "المراجعة · عرض Kunji" },
  "Skip to the content": { fr: "Aller au contenu", ar: "انتقل إلى المحتوى" },
  "Review registrations": { fr: "Examiner les enregistrements", ar: "مراجعة التسجيلات" },
  "Sign in": { fr: "Se connecter", ar: "تسجيل الدخول" },
  "With a client that may decrypt.": { fr: "Avec un client qui peut déchiffrer.", ar: "بعميل يحق له فك التشفير." },
  "prints one.": { fr: "en affiche un.", ar: "يعرض واحدا." },
  "Client id": { fr: "Identifiant du client", ar: "معرّف العميل" },
  Secret: { fr: "Secret", ar: "السر" },
  "Your access is kept in this page only, and ends when you sign out or leave.": {
    fr: "Votre accès n’est gardé que dans cette page, et finit quand vous vous déconnectez ou la quittez.",
    ar: "يُحفظ دخولك في هذه الصفحة فقط، وينتهي عند الخروج أو مغادرتها.",
  },
  "Signed in as": { fr: "Connecté :", ar: "تم الدخول باسم" },
  "with the roles": { fr: "avec les rôles", ar: "بالأدوار" },
  none: { fr: "aucun", ar: "لا شيء" },
  "Sign out": { fr: "Se déconnecter", ar: "تسجيل الخروج" },
  Packets: { fr: "Paquets", ar: "الحزم" },
  Refresh: { fr: "Actualiser", ar: "تحديث" },
  "No packets yet. Send one with the": {
    fr: "Pas encore de paquets. Envoyez-en un avec le",
    ar: "لا حزم بعد. أرسل واحدة باستعمال",
  },
  "registration form": { fr: "formulaire d’enregistrement", ar: "استمارة التسجيل" },
  "Open the packet received": { fr: "Ouvrir le paquet reçu le", ar: "افتح الحزمة المستلمة في" },
  "Open a packet: the server decrypts it for you and writes down that you asked.": {
    fr: "Ouvrez un paquet : le serveur le déchiffre pour vous, et note que vous l’avez demandé.",
    ar: "افتح حزمة: يفك الخادم تشفيرها لك ويدوّن أنك طلبت ذلك.",
  },
  Close: { fr: "Fermer", ar: "إغلاق" },
  "Photo of the person": { fr: "Photo de la personne", ar: "صورة الشخص" },
  "No photo was given.": { fr: "Aucune photo n’a été donnée.", ar: "لم تُقدَّم صورة." },
  "The photo has too many pixels to be shown.": {
    fr: "La photo a trop de pixels pour être affichée.",
    ar: "في الصورة بكسلات أكثر مما يمكن عرضه.",
  },
  "The photo cannot be shown by this browser.": {
    fr: "Ce navigateur ne peut pas afficher la photo.",
    ar: "لا يستطيع هذا المتصفح عرض الصورة.",
  },
  "Signing in.": { fr: "Connexion.", ar: "جار الدخول." },
  "You are signed in.": { fr: "Vous êtes connecté.", ar: "تم دخولك." },
  "You have signed out.": { fr: "Vous êtes déconnecté.", ar: "تم خروجك." },
  "The list is up to date. Packets: {count}.": {
    fr: "La liste est à jour. Paquets : {count}.",
    ar: "القائمة محدَّثة. عدد الحزم: {count}.",
  },
  "The server is decrypting the packet.": {
    fr: "Le serveur déchiffre le paquet.",
    ar: "يفك الخادم تشفير الحزمة.",
  },
  "Enter client id and secret": {
    fr: "Entrez l’identifiant du client et le secret",
    ar: "أدخل معرّف العميل والسر",
  },
  "Both are needed.": { fr: "Il faut les deux.", ar: "كلاهما مطلوب." },
  "Client id or secret is wrong": {
    fr: "L’identifiant du client ou le secret est faux",
    ar: "معرّف العميل أو السر خاطئ",
  },
  "Check both: upper and lower case count, and nothing may stand before or after them.": {
    fr: "Vérifiez les deux : majuscules et minuscules comptent, et rien ne doit se trouver avant ou après.",
    ar: "تحقق من كليهما: حالة الأحرف مهمة، ولا يجوز أن يسبقهما أو يتبعهما شيء.",
  },
  "This packet holds no registration": {
    fr: "Ce paquet ne contient pas d’enregistrement",
    ar: "لا تحتوي هذه الحزمة على تسجيل",
  },
  "It opened, but another program made it, and its content is not what this form collects.": {
    fr: "Il s’est ouvert, mais un autre programme l’a fait, et son contenu n’est pas ce que recueille ce formulaire.",
    ar: "فُتحت، لكن برنامجا آخر صنعها، ومحتواها ليس ما تجمعه هذه الاستمارة.",
  },
  "Your session has ended": { fr: "Votre session est terminée", ar: "انتهت جلستك" },
  "Sign in again to go on.": { fr: "Reconnectez-vous pour continuer.", ar: "سجّل الدخول من جديد للمتابعة." },
  "This packet does not open": { fr: "Ce paquet ne s’ouvre pas", ar: "لا تُفتح هذه الحزمة" },
  "It was altered or damaged after it was made, so nothing in it can be trusted. Ask for a new registration.": {
    fr: "Il a été modifié ou abîmé après sa création ; on ne peut donc se fier à rien de ce qu’il contient. Demandez un nouvel enregistrement.",
    ar: "غُيّرت أو تلفت بعد صنعها، فلا يمكن الوثوق بشيء فيها. اطلب تسجيلا جديدا.",
  },
  "This packet was made for somebody else": {
    fr: "Ce paquet a été fait pour quelqu’un d’autre",
    ar: "صُنعت هذه الحزمة لجهة أخرى",
  },
  "It was encrypted with the certificate of another office, or is damaged at its beginning.": {
    fr: "Il a été chiffré avec le certificat d’un autre bureau, ou est abîmé à son début.",
    ar: "شُفّرت بشهادة مكتب آخر، أو هي تالفة في بدايتها.",
  },
  "This client may not read packets": {
    fr: "Ce client ne peut pas lire les paquets",
    ar: "لا يحق لهذا العميل قراءة الحزم",
  },
  "Reading takes the role decryptor, and the roles of this client are: {roles}. Nothing was decrypted. Sign in with another client, or ask an administrator.":
    {
      fr: "Il y faut le rôle decryptor, et les rôles de ce client sont : {roles}. Rien n’a été déchiffré. Connectez-vous avec un autre client, ou demandez à un administrateur.",
      ar: "تتطلب القراءة الدور decryptor، وأدوار هذا العميل هي: {roles}. لم يُفك تشفير شيء. ادخل بعميل آخر، أو اسأل مسؤولا.",
    },
  "There is nothing to read here": { fr: "Il n’y a rien à lire ici", ar: "لا شيء للقراءة هنا" },
  "The packet was removed, or the server’s demo inbox is switched off. Refresh the list.": {
    fr: "Le paquet a été retiré, ou la boîte de réception de la démo est fermée. Actualisez la liste.",
    ar: "أُزيلت الحزمة، أو صندوق الوارد التجريبي مغلق. حدّث القائمة.",
  },
} as const satisfies Texts;
