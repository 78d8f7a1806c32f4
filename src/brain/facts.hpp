// Facts from the ports. They are never refused; one that came too late, or twice, changes nothing.
#pragma once

#include "brain/effects.hpp"

namespace virga {

void on_gang_granted(Effects& fx, const GangGranted& e);
void on_gang_refused(Effects& fx, const GangRefused& e);
void on_vm_ready(Effects& fx, const VmReady& e);
void on_vm_failed(Effects& fx, const VmFailed& e);
void on_vm_evicting(Effects& fx, const VmEvicting& e);
void on_vm_released(Effects& fx, const VmReleased& e);
void on_job_started(Effects& fx, const JobStarted& e);
void on_job_launch_failed(Effects& fx, const JobLaunchFailed& e);
void on_job_ended(Effects& fx, const JobEnded& e);
void on_job_accounted(Effects& fx, const JobAccounted& e);
void on_timer_fired(Effects& fx);

}  // namespace virga
