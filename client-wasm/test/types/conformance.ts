// The declarations are written by hand: what they declare is what the sources are, and the other way round.

import type * as declared from "#api";
import type * as declaredJws from "#jws";
import type * as declaredLayouts from "#layouts";
import type * as written from "#sources";
import type * as writtenJws from "#sources/jws";
import type * as writtenLayouts from "#sources/layouts";

type Functions<T> = { [Name in keyof T as T[Name] extends (...parameters: never) => unknown ? Name : never]: T[Name] };
type Fields<T> = { [Name in keyof T]: T[Name] };

type IsSame<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function assertTrue<_ extends true>(): void {}

assertTrue<IsSame<keyof typeof declared, keyof typeof written>>();
assertTrue<IsSame<Fields<declared.Recipient>, Fields<written.Recipient>>>();
assertTrue<IsSame<declared.KunjiError["code"], written.KunjiError["code"]>>();

assertTrue<IsSame<keyof typeof declaredJws, keyof typeof writtenJws>>();
assertTrue<IsSame<keyof typeof declaredLayouts, keyof typeof writtenLayouts>>();

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
