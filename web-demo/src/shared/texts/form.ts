import type { Texts } from "./texts.ts";

/** What the form says. */
export const FORM = {
  "Registration · Kunji demo": { fr: "Enregistrement · démo Kunji", ar: "التسجيل · عرض Kunji" },
  "Skip to the form": { fr: "Aller au formulaire", ar: "انتقل إلى الاستمارة" },
  "Register a person": { fr: "Enregistrer une personne", ar: "تسجيل شخص" },
  "This is a demonstration: please enter made-up data only.": {
    fr: "Ceci est une démonstration : n’entrez que des données inventées.",
    ar: "هذا عرض توضيحي: أدخل بيانات مختلَقة فقط.",
  },
  "This device is offline.": { fr: "Cet appareil est hors ligne.", ar: "هذا الجهاز غير متصل بالشبكة." },
  "You can go on: registrations are encrypted, kept here, and sent when it is online again.": {
    fr: "Vous pouvez continuer : les enregistrements sont chiffrés, gardés ici, et envoyés quand il sera de nouveau en ligne.",
    ar: "يمكنك المتابعة: تُشفَّر التسجيلات وتُحفظ هنا، ثم تُرسل عندما يعود الاتصال.",
  },
  "Waiting to be sent": { fr: "En attente d’envoi", ar: "في انتظار الإرسال" },
  "Send now": { fr: "Envoyer maintenant", ar: "أرسل الآن" },
  "Encrypted registrations on this device: {count}. They are sent as soon as it is online.": {
    fr: "Enregistrements chiffrés sur cet appareil : {count}. Ils sont envoyés dès qu’il est en ligne.",
    ar: "التسجيلات المشفرة على هذا الجهاز: {count}. تُرسل حالما يتصل بالشبكة.",
  },
  "This browser may delete them when disk space is short: do not wait long.": {
    fr: "Ce navigateur peut les effacer si la place manque : n’attendez pas longtemps.",
    ar: "قد يحذفها هذا المتصفح إذا ضاقت مساحة القرص: لا تنتظر طويلا.",
  },
  "This device is online again.": { fr: "Cet appareil est de nouveau en ligne.", ar: "عاد اتصال هذا الجهاز." },
  "Kept registrations that were sent: {count}.": {
    fr: "Enregistrements gardés qui ont été envoyés : {count}.",
    ar: "التسجيلات المحفوظة التي أُرسلت: {count}.",
  },
  "Some entries need another look": { fr: "Certaines saisies sont à revoir", ar: "بعض المدخلات تحتاج إلى مراجعة" },
  "Personal data": { fr: "Données personnelles", ar: "البيانات الشخصية" },
  "As it stands on the person’s documents, in any script": {
    fr: "Tel qu’il figure sur les documents de la personne, dans n’importe quelle écriture",
    ar: "كما يرد في وثائق الشخص، بأي كتابة",
  },
  "For example 27 3 1987": { fr: "Par exemple 27 3 1987", ar: "مثلا 27 3 1987" },
  Day: { fr: "Jour", ar: "اليوم" },
  Month: { fr: "Mois", ar: "الشهر" },
  Year: { fr: "Année", ar: "السنة" },
  Photo: { fr: "Photo", ar: "الصورة" },
  "(optional)": { fr: "(facultatif)", ar: "(اختياري)" },
  "JPEG, PNG or WebP, at most 8 MB": {
    fr: "JPEG, PNG ou WebP, 8 Mo au plus",
    ar: "JPEG أو PNG أو WebP، بحد أقصى 8 ميغابايت",
  },
  "The chosen photo": { fr: "La photo choisie", ar: "الصورة المختارة" },
  "Remove the photo": { fr: "Retirer la photo", ar: "احذف الصورة" },
  "Your entries are encrypted in this browser. Only the encrypted packet leaves this device.": {
    fr: "Vos saisies sont chiffrées dans ce navigateur. Seul le paquet chiffré quitte cet appareil.",
    ar: "تُشفَّر مدخلاتك في هذا المتصفح. لا يغادر هذا الجهاز إلا الحزمة المشفرة.",
  },
  "Encrypt and send": { fr: "Chiffrer et envoyer", ar: "شفِّر وأرسل" },
  "Encrypt and save": { fr: "Chiffrer et enregistrer", ar: "شفِّر واحفظ" },
  "What you entered is still in the form.": {
    fr: "Ce que vous avez saisi est toujours dans le formulaire.",
    ar: "ما أدخلته لا يزال في الاستمارة.",
  },
  "Try again": { fr: "Réessayer", ar: "حاول مرة أخرى" },
  "Registration received": { fr: "Enregistrement reçu", ar: "تم استلام التسجيل" },
  "Registration kept": { fr: "Enregistrement gardé", ar: "تم حفظ التسجيل" },
  "Packet ready": { fr: "Paquet prêt", ar: "الحزمة جاهزة" },
  "The office received the encrypted packet on {moment}. Keep the packet id: the office finds the registration by it.":
    {
      fr: "Le bureau a reçu le paquet chiffré le {moment}. Gardez l’identifiant du paquet : le bureau retrouve l’enregistrement grâce à lui.",
      ar: "استلم المكتب الحزمة المشفرة في {moment}. احتفظ بمعرّف الحزمة: به يجد المكتب التسجيل.",
    },
  "The device was offline. The encrypted packet is kept on it, and sent as soon as it is online again with this page open.":
    {
      fr: "L’appareil était hors ligne. Le paquet chiffré y est gardé, et envoyé dès qu’il est de nouveau en ligne avec cette page ouverte.",
      ar: "كان الجهاز غير متصل. الحزمة المشفرة محفوظة عليه، وتُرسل حالما يعود الاتصال وهذه الصفحة مفتوحة.",
    },
  "This server takes no packets. Save the encrypted packet and bring it to the office in another way.": {
    fr: "Ce serveur ne prend pas de paquets. Enregistrez le paquet chiffré et apportez-le au bureau d’une autre façon.",
    ar: "هذا الخادم لا يستقبل الحزم. احفظ الحزمة المشفرة وأوصلها إلى المكتب بطريقة أخرى.",
  },
  "Save the packet": { fr: "Enregistrer le paquet", ar: "احفظ الحزمة" },
  "Encrypted for the certificate with the thumbprint": {
    fr: "Chiffré pour le certificat dont l’empreinte est",
    ar: "مشفرة للشهادة ذات البصمة",
  },
  "Register another person": { fr: "Enregistrer une autre personne", ar: "سجّل شخصا آخر" },
  "Open it as a reviewer": { fr: "L’ouvrir comme examinateur", ar: "افتحها بصفة مراجع" },
  "What just happened": { fr: "Ce qui vient de se passer", ar: "ما الذي حدث للتو" },
  "Whom the form trusted": { fr: "À qui le formulaire a fait confiance", ar: "بمن وثقت الاستمارة" },
  "Each of these certificates was checked: its dates, what it may be used for, and that the next one has signed it. The first is valid until":
    {
      fr: "Chacun de ces certificats a été vérifié : ses dates, son usage permis, et que le suivant l’a signé. Le premier est valable jusqu’au",
      ar: "فُحصت كل شهادة من هذه الشهادات: تواريخها، والاستعمال المسموح بها، وأن التالية وقّعتها. الأولى صالحة حتى",
    },
  "issued by {issuer}": { fr: "émis par {issuer}", ar: "صادرة عن {issuer}" },
  "vouches for itself: the form trusts it": {
    fr: "se porte garant de lui-même : le formulaire lui fait confiance",
    ar: "تشهد لنفسها: الاستمارة تثق بها",
  },
  "What the packet is made of": { fr: "De quoi le paquet est fait", ar: "مم تتكون الحزمة" },
  "These are all of its bytes. Nothing in them can be read without the office’s private key.": {
    fr: "Voici tous ses octets. Rien ne peut y être lu sans la clé privée du bureau.",
    ar: "هذه كل بايتاتها. لا يمكن قراءة شيء فيها دون المفتاح الخاص بالمكتب.",
  },
  "{size}, from byte {start}": { fr: "{size}, à partir de l’octet {start}", ar: "{size}، ابتداء من البايت {start}" },
  Header: { fr: "En-tête", ar: "الترويسة" },
  "Says which layout follows.": { fr: "Dit quelle disposition suit.", ar: "تحدد التنسيق الذي يليها." },
  Thumbprint: { fr: "Empreinte", ar: "البصمة" },
  "SHA-256 of the office’s certificate: for whom the packet is.": {
    fr: "SHA-256 du certificat du bureau : pour qui est le paquet.",
    ar: "SHA-256 لشهادة المكتب: لمن الحزمة.",
  },
  "Wrapped key": { fr: "Clé enveloppée", ar: "المفتاح المغلَّف" },
  "The key of this packet, encrypted for the office by RSA-OAEP with {bits} bits.": {
    fr: "La clé de ce paquet, chiffrée pour le bureau par RSA-OAEP à {bits} bits.",
    ar: "مفتاح هذه الحزمة، مشفر للمكتب بطريقة RSA-OAEP بطول {bits} بت.",
  },
  Splitter: { fr: "Séparateur", ar: "الفاصل" },
  "Says where the wrapped key ends.": { fr: "Dit où finit la clé enveloppée.", ar: "يحدد أين ينتهي المفتاح المغلَّف." },
  "Random block": { fr: "Bloc aléatoire", ar: "كتلة عشوائية" },
  "Drawn for this packet: nonce and associated data of the encryption.": {
    fr: "Tiré pour ce paquet : nonce et données associées du chiffrement.",
    ar: "مولَّدة لهذه الحزمة: الرقم الفريد والبيانات المرافقة للتشفير.",
  },
  Ciphertext: { fr: "Texte chiffré", ar: "النص المشفر" },
  "Name, date of birth and photo, encrypted by AES-256-GCM.": {
    fr: "Nom, date de naissance et photo, chiffrés par AES-256-GCM.",
    ar: "الاسم وتاريخ الميلاد والصورة، مشفرة بطريقة AES-256-GCM.",
  },
  Tag: { fr: "Étiquette", ar: "العلامة" },
  "Whoever changes a single bit of the packet is found out by it.": {
    fr: "Elle trahit quiconque change un seul bit du paquet.",
    ar: "تكشف كل من يغيّر بتا واحدا من الحزمة.",
  },
  "How long it took": { fr: "Combien de temps cela a pris", ar: "كم استغرق ذلك" },
  "Fetch and check the certificate": { fr: "Chercher et vérifier le certificat", ar: "جلب الشهادة وفحصها" },
  Encrypt: { fr: "Chiffrer", ar: "التشفير" },
  "Send, and have it stored": { fr: "Envoyer et faire conserver", ar: "الإرسال والحفظ" },
  Progress: { fr: "Avancement", ar: "سير العمل" },
  "Check the office’s certificate": { fr: "Vérifier le certificat du bureau", ar: "فحص شهادة المكتب" },
  "Encrypt in this browser": { fr: "Chiffrer dans ce navigateur", ar: "التشفير في هذا المتصفح" },
  "Send the packet": { fr: "Envoyer le paquet", ar: "إرسال الحزمة" },
  "Receipt from the office": { fr: "Reçu du bureau", ar: "إيصال من المكتب" },
  "not begun": { fr: "pas commencé", ar: "لم يبدأ" },
  working: { fr: "en cours", ar: "جار" },
  done: { fr: "fait", ar: "تم" },
  failed: { fr: "échoué", ar: "فشل" },
  "trusted, and valid until {day}": {
    fr: "digne de confiance, et valable jusqu’au {day}",
    ar: "موثوقة، وصالحة حتى {day}",
  },
  "one packet of {size}": { fr: "un paquet de {size}", ar: "حزمة واحدة بحجم {size}" },
  "the office has stored the packet": { fr: "le bureau a conservé le paquet", ar: "حفظ المكتب الحزمة" },
  "Checking the certificate.": { fr: "Vérification du certificat.", ar: "جار فحص الشهادة." },
  "Certificate checked. Encrypting.": { fr: "Certificat vérifié. Chiffrement.", ar: "فُحصت الشهادة. جار التشفير." },
  "Encrypted. Sending the packet.": { fr: "Chiffré. Envoi du paquet.", ar: "تم التشفير. جار إرسال الحزمة." },
  "Sent. Waiting for the receipt.": { fr: "Envoyé. En attente du reçu.", ar: "تم الإرسال. في انتظار الإيصال." },
  "What happens to your data": { fr: "Ce qui arrive à vos données", ar: "ماذا يحدث لبياناتك" },
  "Checked.": { fr: "Vérifié.", ar: "الفحص." },
  "The page fetches the office’s certificate and makes sure that the authority it trusts has issued it.": {
    fr: "La page va chercher le certificat du bureau et s’assure qu’il a été émis par l’autorité à qui elle fait confiance.",
    ar: "تجلب الصفحة شهادة المكتب وتتأكد من أن السلطة التي تثق بها أصدرتها.",
  },
  "Encrypted.": { fr: "Chiffré.", ar: "التشفير." },
  "Name, date of birth and photo become one packet, here in the browser, with a key made for this packet alone.": {
    fr: "Nom, date de naissance et photo deviennent un paquet, ici dans le navigateur, avec une clé faite pour ce seul paquet.",
    ar: "يصبح الاسم وتاريخ الميلاد والصورة حزمة واحدة، هنا في المتصفح، بمفتاح صُنع لهذه الحزمة وحدها.",
  },
  "Sent.": { fr: "Envoyé.", ar: "الإرسال." },
  "The server keeps the packet as it is. It is opened only when a reviewer who may do so asks for it, and the server writes down each time.":
    {
      fr: "Le serveur garde le paquet tel quel. Il n’est ouvert que si un examinateur qui en a le droit le demande, et le serveur le note chaque fois.",
      ar: "يحفظ الخادم الحزمة كما هي. لا تُفتح إلا إذا طلبها مراجع مخوَّل، ويدوّن الخادم ذلك في كل مرة.",
    },
  "Saved.": { fr: "Enregistré.", ar: "الحفظ." },
  "This server takes no packets: you save the packet and bring it to the office. It is opened only when a reviewer who may do so asks for it.":
    {
      fr: "Ce serveur ne prend pas de paquets : vous enregistrez le paquet et l’apportez au bureau. Il n’est ouvert que si un examinateur qui en a le droit le demande.",
      ar: "هذا الخادم لا يستقبل الحزم: تحفظ الحزمة وتوصلها إلى المكتب. لا تُفتح إلا إذا طلبها مراجع مخوَّل.",
    },
  "Packets are encrypted for": { fr: "Les paquets sont chiffrés pour", ar: "تُشفَّر الحزم لأجل" },
  "the office": { fr: "le bureau", ar: "المكتب" },
  "In this demonstration the server also names the authority to trust. A real form has the authority’s certificate built in.":
    {
      fr: "Dans cette démonstration, le serveur nomme aussi l’autorité à qui faire confiance. Un vrai formulaire contient le certificat de l’autorité.",
      ar: "في هذا العرض يسمّي الخادم أيضا السلطة الموثوقة. أما الاستمارة الحقيقية فتحتوي شهادة السلطة.",
    },
  "Enter the full name": { fr: "Entrez le nom complet", ar: "أدخل الاسم الكامل" },
  "The name can have 200 characters at most": {
    fr: "Le nom peut avoir 200 caractères au plus",
    ar: "لا يتجاوز الاسم 200 حرف",
  },
  "The name holds characters that cannot be seen. Delete it and type it again": {
    fr: "Le nom contient des caractères invisibles. Effacez-le et tapez-le de nouveau",
    ar: "يحتوي الاسم على محارف لا تُرى. احذفه واكتبه من جديد",
  },
  "Enter the date of birth": { fr: "Entrez la date de naissance", ar: "أدخل تاريخ الميلاد" },
  "Enter the date of birth with a day": {
    fr: "Entrez la date de naissance avec un jour",
    ar: "أدخل تاريخ الميلاد مع اليوم",
  },
  "Enter the date of birth with a month": {
    fr: "Entrez la date de naissance avec un mois",
    ar: "أدخل تاريخ الميلاد مع الشهر",
  },
  "Enter the date of birth with a year": {
    fr: "Entrez la date de naissance avec une année",
    ar: "أدخل تاريخ الميلاد مع السنة",
  },
  "Enter the date of birth with a day and a month": {
    fr: "Entrez la date de naissance avec un jour et un mois",
    ar: "أدخل تاريخ الميلاد مع اليوم والشهر",
  },
  "Enter the date of birth with a day and a year": {
    fr: "Entrez la date de naissance avec un jour et une année",
    ar: "أدخل تاريخ الميلاد مع اليوم والسنة",
  },
  "Enter the date of birth with a month and a year": {
    fr: "Entrez la date de naissance avec un mois et une année",
    ar: "أدخل تاريخ الميلاد مع الشهر والسنة",
  },
  "The day must be a number": { fr: "Le jour doit être un nombre", ar: "يجب أن يكون اليوم رقما" },
  "The month must be a number": { fr: "Le mois doit être un nombre", ar: "يجب أن يكون الشهر رقما" },
  "The year must be a number": { fr: "L’année doit être un nombre", ar: "يجب أن تكون السنة رقما" },
  "The month must be between 1 and 12": { fr: "Le mois doit être entre 1 et 12", ar: "يجب أن يكون الشهر بين 1 و12" },
  "Enter the year with four digits, for example 1987": {
    fr: "Entrez l’année avec quatre chiffres, par exemple 1987",
    ar: "أدخل السنة بأربعة أرقام، مثلا 1987",
  },
  "This day does not exist in the calendar: check day and month": {
    fr: "Ce jour n’existe pas au calendrier : vérifiez jour et mois",
    ar: "هذا اليوم غير موجود في التقويم: تحقق من اليوم والشهر",
  },
  "The date of birth must be in the past": {
    fr: "La date de naissance doit être passée",
    ar: "يجب أن يكون تاريخ الميلاد في الماضي",
  },
  "This photo is larger than {size}. Choose a smaller one": {
    fr: "Cette photo dépasse {size}. Choisissez-en une plus petite",
    ar: "هذه الصورة أكبر من {size}. اختر صورة أصغر",
  },
  "This photo has more than 50 megapixels. Choose a smaller one": {
    fr: "Cette photo a plus de 50 mégapixels. Choisissez-en une plus petite",
    ar: "تتجاوز هذه الصورة 50 ميغابكسل. اختر صورة أصغر",
  },
  "This file is not a picture that can be read. Choose a JPEG, PNG or WebP picture": {
    fr: "Ce fichier n’est pas une image lisible. Choisissez une image JPEG, PNG ou WebP",
    ar: "هذا الملف ليس صورة يمكن قراءتها. اختر صورة JPEG أو PNG أو WebP",
  },
  "The server’s receipt makes no sense": { fr: "Le reçu du serveur n’a pas de sens", ar: "إيصال الخادم غير مفهوم" },
  "The packet was sent, and the office may have stored it. Your entries are still here: ask the office whether it has them before you try again.":
    {
      fr: "Le paquet a été envoyé, et le bureau l’a peut-être conservé. Vos saisies sont toujours ici : demandez au bureau s’il les a avant de réessayer.",
      ar: "أُرسلت الحزمة، وربما حفظها المكتب. مدخلاتك لا تزال هنا: اسأل المكتب هل وصلته قبل أن تحاول مرة أخرى.",
    },
  "The office is not taking packets now": {
    fr: "Le bureau ne prend pas de paquets en ce moment",
    ar: "المكتب لا يستقبل الحزم الآن",
  },
  "The inbox was switched off. Try again: the form then lets you save the packet instead.": {
    fr: "La boîte de réception a été fermée. Réessayez : le formulaire vous laissera enregistrer le paquet.",
    ar: "أُغلق صندوق الوارد. حاول مرة أخرى: ستتيح لك الاستمارة حفظ الحزمة.",
  },
  "The packet is too large": { fr: "Le paquet est trop grand", ar: "الحزمة كبيرة جدا" },
  "Choose a smaller photo, then try again.": {
    fr: "Choisissez une photo plus petite, puis réessayez.",
    ar: "اختر صورة أصغر، ثم حاول مرة أخرى.",
  },
  "The inbox is full": { fr: "La boîte de réception est pleine", ar: "صندوق الوارد ممتلئ" },
  "The office has to make room before it can take another packet. Try again later, or tell the office.": {
    fr: "Le bureau doit faire de la place avant de prendre un autre paquet. Réessayez plus tard, ou prévenez le bureau.",
    ar: "على المكتب أن يفسح مكانا قبل أن يستقبل حزمة أخرى. حاول لاحقا، أو أبلغ المكتب.",
  },
  "The office’s certificate is not available": {
    fr: "Le certificat du bureau n’est pas disponible",
    ar: "شهادة المكتب غير متاحة",
  },
  "The server gave no certificate that packets can be encrypted for. Try again later, or tell the office.": {
    fr: "Le serveur n’a donné aucun certificat pour lequel chiffrer. Réessayez plus tard, ou prévenez le bureau.",
    ar: "لم يقدّم الخادم شهادة يمكن التشفير لها. حاول لاحقا، أو أبلغ المكتب.",
  },
  "The date or time of this device is wrong": {
    fr: "La date ou l’heure de cet appareil est fausse",
    ar: "تاريخ هذا الجهاز أو وقته خاطئ",
  },
  "It says {moment}. Correct it in the device’s settings, or let the device set it by itself, then try again.": {
    fr: "Il indique {moment}. Corrigez-la dans les réglages de l’appareil, ou laissez-le se régler seul, puis réessayez.",
    ar: "يعرض {moment}. صححه في إعدادات الجهاز، أو دعه يضبطه تلقائيا، ثم حاول مرة أخرى.",
  },
  "The office’s certificate is not valid yet": {
    fr: "Le certificat du bureau n’est pas encore valable",
    ar: "شهادة المكتب ليست صالحة بعد",
  },
  "Check the date of this device. If it is right, try again later, or tell the office.": {
    fr: "Vérifiez la date de cet appareil. Si elle est juste, réessayez plus tard, ou prévenez le bureau.",
    ar: "تحقق من تاريخ هذا الجهاز. إن كان صحيحا فحاول لاحقا، أو أبلغ المكتب.",
  },
  "The office’s certificate has expired": { fr: "Le certificat du bureau a expiré", ar: "انتهت صلاحية شهادة المكتب" },
  "Nothing was sent. The office has to renew its certificate: tell the office, and try again later.": {
    fr: "Rien n’a été envoyé. Le bureau doit renouveler son certificat : prévenez-le, et réessayez plus tard.",
    ar: "لم يُرسل شيء. على المكتب تجديد شهادته: أبلغه، وحاول لاحقا.",
  },
  "The office could not be recognised": { fr: "Le bureau n’a pas pu être reconnu", ar: "تعذّر التعرف على المكتب" },
  "The certificate does not come from the authority that this form trusts, so nothing was sent. Somebody may be interfering with the connection: try again on a network that you trust. If this message stays, tell the office.":
    {
      fr: "Le certificat ne vient pas de l’autorité à qui ce formulaire fait confiance ; rien n’a donc été envoyé. Quelqu’un perturbe peut-être la connexion : réessayez sur un réseau de confiance. Si ce message reste, prévenez le bureau.",
      ar: "لا تأتي الشهادة من السلطة التي تثق بها هذه الاستمارة، فلم يُرسل شيء. ربما يتدخل أحد في الاتصال: حاول على شبكة تثق بها. إذا بقيت هذه الرسالة فأبلغ المكتب.",
    },
  "This device cannot keep the registration": {
    fr: "Cet appareil ne peut pas garder l’enregistrement",
    ar: "لا يستطيع هذا الجهاز حفظ التسجيل",
  },
  "It is offline, and this browser has no room, or keeps nothing in private windows. Try again when the device is online.":
    {
      fr: "Il est hors ligne, et ce navigateur n’a plus de place, ou ne garde rien en fenêtre privée. Réessayez quand l’appareil sera en ligne.",
      ar: "الجهاز غير متصل، وليس في المتصفح مساحة، أو لا يحفظ شيئا في النوافذ الخاصة. حاول عندما يتصل الجهاز.",
    },
  "This browser cannot encrypt": { fr: "Ce navigateur ne sait pas chiffrer", ar: "هذا المتصفح لا يستطيع التشفير" },
  "Use a current version of Firefox, Chrome, Edge or Safari.": {
    fr: "Utilisez une version actuelle de Firefox, Chrome, Edge ou Safari.",
    ar: "استعمل إصدارا حديثا من Firefox أو Chrome أو Edge أو Safari.",
  },
  "The packet could not be encrypted": { fr: "Le paquet n’a pas pu être chiffré", ar: "تعذّر تشفير الحزمة" },
  "Nothing was sent. Tell the office the code below.": {
    fr: "Rien n’a été envoyé. Donnez au bureau le code ci-dessous.",
    ar: "لم يُرسل شيء. أبلغ المكتب بالرمز أدناه.",
  },
} as const satisfies Texts;
