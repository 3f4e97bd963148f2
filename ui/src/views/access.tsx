// Who can come in to a local Room: this machine, and only this machine.

import { dayTime } from '../text';
import { w } from '../text/more';
import { useRoom } from './context';
import { Command } from './copy';
import { Facts, Page } from './parts';

export function Access() {
  const room = useRoom();
  const me = room.auth.verified.value;
  return (
    <Page title={w.access.title} testid="access">
      <section class="card" aria-labelledby="access-you">
        <h2 id="access-you">{w.access.you}</h2>
        <Facts
          rows={[
            [w.access.role, me?.role == null ? null : (w.access.roles[me.role] ?? me.role)],
            [
              w.access.until,
              me?.expiresAt == null ? null : `${dayTime(me.expiresAt, room.now())}, ${w.access.untilStop}`,
            ],
          ]}
        />
      </section>
      <section class="card" aria-labelledby="access-where">
        <h2 id="access-where">{w.access.where}</h2>
        <Facts rows={[[w.access.address, <code data-testid="address">{location.origin}</code>]]} />
        <p class="muted">{w.access.onlyHere}</p>
      </section>
      <section class="card" aria-labelledby="access-another">
        <h2 id="access-another">{w.access.another}</h2>
        <p class="muted">{w.access.anotherText}</p>
        <Command command="room open" testid="open-command" />
      </section>
      <section class="card" aria-labelledby="access-programs">
        <h2 id="access-programs">{w.access.programs}</h2>
        <p class="muted">{w.access.programsText}</p>
        {room.status.value?.dataDir != null && <Command command={`${room.status.value.dataDir}/api.token`} />}
      </section>
    </Page>
  );
}
