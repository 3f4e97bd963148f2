// The bar of steps of something that takes a while.

import styles from '../styles/steps.css?inline';
import { adopt } from './sheet';

adopt(styles);

interface StepBarProps {
  steps: string[];
  reached: number;
  broken: boolean;
  label: string;
}

export function StepBar({ steps, reached, broken, label }: StepBarProps) {
  return (
    <ol class="steps" aria-label={label} data-testid="steps" data-reached={reached}>
      {steps.map((step, index) => {
        const state = index < reached ? 'past' : index > reached ? 'next' : broken ? 'broken' : 'current';
        return (
          <li key={step} class={state} aria-current={index === reached ? 'step' : undefined}>
            {step}
          </li>
        );
      })}
    </ol>
  );
}
