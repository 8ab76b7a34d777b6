// The declarations are written by hand: what they declare is what the sources are, and the other way round.

import type * as declared from "#api";
import type * as declaredForm from "#form";
import type * as declaredJws from "#jws";
import type * as declaredLayouts from "#layouts";
import type * as declaredQueue from "#queue";
import type * as declaredRecipients from "#recipients";
import type * as written from "#sources";
import type * as writtenForm from "#sources/form";
import type * as writtenJws from "#sources/jws";
import type * as writtenLayouts from "#sources/layouts";
import type * as writtenQueue from "#sources/queue";
import type * as writtenRecipients from "#sources/recipients";
import type * as writtenWorker from "#sources/worker";
import type * as writtenWorkerInNode from "#sources/worker-in-node";
import type * as declaredWorker from "#worker";

type Functions<T> = { [Name in keyof T as T[Name] extends (...parameters: never) => unknown ? Name : never]: T[Name] };
type Fields<T> = { [Name in keyof T]: T[Name] };

type IsSame<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function assertTrue<_ extends true>(): void {}

assertTrue<IsSame<keyof typeof declared, keyof typeof written>>();
assertTrue<IsSame<Fields<declared.Recipient>, Fields<written.Recipient>>>();
assertTrue<IsSame<declared.KunjiError["code"], written.KunjiError["code"]>>();

assertTrue<IsSame<keyof typeof declaredJws, keyof typeof writtenJws>>();
assertTrue<IsSame<keyof typeof declaredLayouts, keyof typeof writtenLayouts>>();
assertTrue<IsSame<keyof typeof declaredRecipients, keyof typeof writtenRecipients>>();
assertTrue<IsSame<keyof declaredRecipients.KeyManagerClient, keyof writtenRecipients.KeyManagerClient>>();

declare const ours: Functions<typeof written>;
declare const theirs: Functions<typeof declared>;
export const forUsers: Functions<typeof declared> = ours;
export const fromUsers: Functions<typeof written> = theirs;
declare const ourJws: typeof writtenJws;
declare const theirJws: typeof declaredJws;
export const jwsForUsers: typeof declaredJws = ourJws;
export const jwsFromUsers: typeof writtenJws = theirJws;
declare const ourLayouts: typeof writtenLayouts;
declare const theirLayouts: typeof declaredLayouts;
export const layoutsForUsers: typeof declaredLayouts = ourLayouts;
export const layoutsFromUsers: typeof writtenLayouts = theirLayouts;
declare const ourRecipients: typeof writtenRecipients;
declare const theirParsing: typeof declaredRecipients.parseBundle;
export const recipientsForUsers: typeof declaredRecipients = ourRecipients;
export const parsingFromUsers: typeof writtenRecipients.parseBundle = theirParsing;
declare const ourQueue: typeof writtenQueue;
declare const theirQueue: typeof declaredQueue;
export const queueForUsers: typeof declaredQueue = ourQueue;
export const queueFromUsers: typeof writtenQueue = theirQueue;
declare const ourForm: typeof writtenForm;
declare const theirForm: typeof declaredForm;
export const formForUsers: typeof declaredForm = ourForm;
export const formFromUsers: typeof writtenForm = theirForm;
declare const ourWorker: typeof writtenWorker;
declare const theirWorker: Fields<declaredWorker.PacketWorker>;
export const workerForUsers: typeof declaredWorker = ourWorker;
export const workerFromUsers: Fields<writtenWorker.PacketWorker> = theirWorker;
declare const ourWorkerInNode: typeof writtenWorkerInNode;
export const workerInNodeForUsers: typeof declaredWorker = ourWorkerInNode;
