// React: a form whose entries leave the browser encrypted, and no other way.

import { fetchRecipient } from "@kunji/client";
import { sealForm } from "@kunji/client/form";
import { useEffect, useRef, useState } from "react";

/**
 * `certificateUrl` is where the key manager shows the certificate to encrypt for, `anchors` its root certificate as PEM,
 * pinned when the page is built. `send` takes the packet and a signal, and resolves once it arrived.
 */
export function RegistrationForm({ certificateUrl, anchors, send }) {
  const [{ isBusy, said, failure }, show] = useState({});
  const leaving = useRef(new AbortController());
  useEffect(() => {
    leaving.current = new AbortController();
    return () => leaving.current.abort();
  }, []);

  async function submit(event) {
    event.preventDefault();
    const form = event.currentTarget;
    // As it is now: there is time to change it until it is encrypted.
    const entries = new FormData(form);
    const { signal } = leaving.current;
    show({ isBusy: true });
    try {
      const recipient = await fetchRecipient(certificateUrl, { anchors, signal });
      const packet = await sealForm(entries, recipient, { signal });
      await send(packet, signal);
      form.reset();
      show({ said: `Sent, as ${packet.length} encrypted bytes.` });
    } catch (error) {
      if (!signal.aborted) show({ failure: error });
    }
  }

  return (
    <form onSubmit={submit}>
      <label>
        Name <input name="name" autoComplete="name" required />
      </label>
      <label>
        Photo <input name="photo" type="file" accept="image/*" />
      </label>
      <button type="submit" disabled={isBusy}>
        Encrypt and send
      </button>
      <output>{said}</output>
      {failure && (
        <p role="alert">
          {failure.message}. {failure.hint}
        </p>
      )}
    </form>
  );
}
