#include "sim/world/sim_engine.hpp"

namespace virga {

namespace {

/// Facts of a VM's agent are a stream of their own, apart from those of all jobs.
std::uint64_t stream_of(VmId vm) { return vm.value | (std::uint64_t{1} << 63); }

}  // namespace

SimEngine::SimEngine(EventQueue& queue, Processes& processes, std::uint64_t seed, const DeliveryFaults& delivery,
                     EventSink& sink)
    : processes_(processes), random_(seed), courier_(queue, random_.next(), delivery, sink) {
  processes_.on_up = [this](VmId vm) {
    if (attached_.contains(vm)) tell_ready(vm);
  };
  processes_.on_sick = [this](VmId vm) {
    if (attached_.contains(vm)) tell_sick(stream_of(vm), vm);
  };
  processes_.on_started = [this](const Run& run) {
    if (watched_.contains({run.job, run.incarnation})) tell_started(run.job, run.incarnation);
  };
  processes_.on_ended = [this](const Run& run) {
    if (watched_.erase({run.job, run.incarnation}) > 0) tell_ended(run.job, run.incarnation, run.exit);
  };
  processes_.on_launch_failed = [this](const Run& run) {
    if (watched_.erase({run.job, run.incarnation}) > 0) tell_launch_failed(run.job, run.incarnation, false);
  };
}

SimEngine::~SimEngine() {
  processes_.on_up = nullptr;
  processes_.on_sick = nullptr;
  processes_.on_started = nullptr;
  processes_.on_ended = nullptr;
  processes_.on_launch_failed = nullptr;
}

std::string SimEngine::user_data(const WantedVm& vm, const Pool&) { return "#!/bin/sh\n# agent of " + vm.name + "\n"; }

void SimEngine::attach(VmId vm, const std::string&) {
  attached_.insert(vm);
  if (!processes_.is_up(vm)) return;
  if (processes_.failed_checks(vm) > 0) {
    tell_sick(stream_of(vm), vm);
  } else {
    tell_ready(vm);
  }
}

void SimEngine::detach(VmId vm) { attached_.erase(vm); }

void SimEngine::tell_ready(VmId vm) { courier_.send(stream_of(vm), VmReady{vm}, latency()); }

void SimEngine::tell_sick(std::uint64_t stream, VmId vm) {
  courier_.send(stream, VmUnhealthy{vm, processes_.failed_checks(vm), "gpu_count", "7 of 8 GPUs"}, latency());
}

void SimEngine::tell_started(JobId job, std::uint32_t incarnation) {
  courier_.send(job.value, JobStarted{job, incarnation}, latency());
}

void SimEngine::tell_ended(JobId job, std::uint32_t incarnation, ExitStatus exit) {
  courier_.send(job.value, JobEnded{job, incarnation, exit, {}}, latency());
}

void SimEngine::tell_launch_failed(JobId job, std::uint32_t incarnation, bool job_at_fault) {
  const char* why = job_at_fault ? "its interpreter is missing" : "a node does not answer";
  courier_.send(job.value, JobLaunchFailed{job, incarnation, why, job_at_fault}, latency());
}

void SimEngine::start(const StartJob& command, LaunchPayload payload) {
  const JobId job = command.job.id;
  const std::uint32_t incarnation = command.job.incarnation;
  switch (processes_.start(command, payload)) {
    case Processes::Answer::started:
      tell_started(job, incarnation);
      watched_.insert({job, incarnation});
      break;
    case Processes::Answer::wait:
    case Processes::Answer::lost:
      watched_.insert({job, incarnation});
      break;
    case Processes::Answer::ended: {
      const Run& run = *processes_.find(job, incarnation);
      if (run.ran) tell_started(job, incarnation);
      tell_ended(job, incarnation, run.exit);
      break;
    }
    case Processes::Answer::nodes_at_fault:
      for (const JobNode& node : command.job.nodes) {
        if (processes_.failed_checks(node.vm) > 0) tell_sick(job.value, node.vm);  // known before what follows from it
      }
      tell_launch_failed(job, incarnation, false);
      break;
    case Processes::Answer::job_at_fault:
      tell_launch_failed(job, incarnation, true);
      break;
  }
}

void SimEngine::signal(const SignalJob&) {}  // scripts of this world do not listen

void SimEngine::end(const EndJob& command) {
  if (processes_.end(command) == Processes::EndAnswer::wait) {
    watched_.insert({command.job, command.incarnation});
    return;
  }
  watched_.erase({command.job, command.incarnation});
  const Run* run = processes_.find(command.job, command.incarnation);
  tell_ended(command.job, command.incarnation, run != nullptr ? run->exit : ExitStatus{0, command.signal});
}

void SimEngine::forget(const ForgetJob& command) { processes_.forget(command.job, command.incarnation); }

}  // namespace virga
